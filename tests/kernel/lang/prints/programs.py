"""A program that prints: the kernel, not the test."""

import sys

import skep
from skep import Array, Global, Struct, char, s8, s32, u8, u32, u64
from tests.kernel.lang.both import Given


class Kept(Struct):
    """Text in a map."""

    name: char[8]
    level: s8


kept = Global(Kept)
TAG = "skep's own 7c1f"


@skep.xdp
def prints(ctx):
    """Every format."""
    v = ctx.view(Given)
    if v is None:
        return 0
    kept.name = "hello"
    kept.level = -5
    local = char[6]()
    local[:] = kept.name[:6]
    print("skep's own 7c1f: plain 100% \\")  # noqa: T201
    print(f"skep's own 7c1f: {v.b} {v.a:x} {kept.level}")  # noqa: T201
    print(f"skep's own 7c1f: {v.e:4}|{v.e:04x}|{u64(v.c):#x}|{v.b - 300}|{len(ctx)}")  # noqa: T201
    print(f"skep's own 7c1f: {kept.name}/{local}", s32(v.b) - 500)  # noqa: T201
    print(f"skep's own 7c1f: {kept.name:<8}|{local:>9}|{local:7s}|")  # noqa: T201
    print(f"skep's own 7c1f: {v.b:<6}|{v.b:>6}|{kept.level:<4}|{v.e:<8x}|")  # noqa: T201
    print("skep's own 7c1f:", v.b, u8(v.c), u32(1) << 31, -1, 0)  # noqa: T201
    return 2


results = Array(s32, 4)


@skep.tc("ingress")
def tells(ctx):
    """Lines for the streams of the program; what print gives is noted."""
    size = len(ctx)
    comm = char[16]()
    skep.get_current_comm(comm)
    results[0] = print("nothing in it", file=sys.stdout)  # noqa: T201
    results[1] = print(f"{size} bytes, {size:#x}, {size:<5}|{size:>5}|", 4, size, file=sys.stdout)  # noqa: T201
    results[2] = print(f"from {comm}", file=sys.stderr)  # noqa: T201
    return 2
