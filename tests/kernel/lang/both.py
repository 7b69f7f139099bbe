"""A program in the kernel and as plain Python: equal verdict and packet."""

import random
from collections.abc import Iterable, Iterator

import skep
from skep.kernel.maps import Map
from skep.kernel.programs import Program as Loaded
from skep.lang.compile import compile_all
from skep.lang.finish import finish
from skep.lang.front.scope import Target
from skep.lang.programs import Program
from skep.lang.struct import Struct
from skep.lang.types import s32, u8, u16, u32, u64

SIZE = 128


class Given(Struct):
    """What a program reads at the start of a packet."""

    a: u64
    b: u32
    c: u32
    d: u16
    e: u8
    f: u8
    data: u8[44]
    out: u8[64]


def packets(seed: int, count: int = 6) -> Iterator[bytes]:
    """Packets for the programs of these tests: small numbers, edges, and any."""
    rng = random.Random(seed)
    for _ in range(count):
        yield Given(
            a=rng.choice((0, 1, 27, 97, (1 << 33) - 1, rng.getrandbits(64))),
            b=rng.choice((0, 1, 7, 100, 150, 257)),
            c=rng.choice((0, 1, 5, 30, 300)),
            d=rng.choice((0, 80, 443, 53, 65535)),
            e=rng.randrange(256),
            f=rng.choice((0, 1, 6, 17, 255)),
            data=[rng.choice((0, 47, 97, 98, rng.randrange(256))) for _ in range(44)],
        ).to_bytes()


def plain(program: Program, given: Iterable[bytes]) -> list[tuple[int, bytes]]:
    """What runs as plain Python leave, one after the other on the same maps."""
    kernel, left = skep.FakeKernel(), []
    for data in given:
        packet = bytearray(data)
        left.append((program.py(packet, kernel=kernel), bytes(packet)))
    return left


def live(program: Program, given: Iterable[bytes]) -> list[tuple[int, bytes]]:
    """What runs in the kernel leave, one after the other on the same maps."""
    with skep.load(program, attach=False) as loaded:
        done = [loaded.programs[program.name].test_run(data) for data in given]
    return [(s32.wrap(one.retval), one.data) for one in done]


def compiled_so(
    program: Program, target: Target, given: Iterable[bytes]
) -> list[tuple[int, bytes]]:
    """What runs in the kernel leave of a program that is compiled for ``target``."""
    machine = skep.Machine()
    (linked,) = compile_all([program], target)
    spec = finish(program, linked).spec
    maps = [Map.create(one) for one in spec.maps]
    with Loaded.load(spec, maps, machine.btf) as loaded:
        done = [loaded.test_run(data) for data in given]
    return [(s32.wrap(one.retval), one.data) for one in done]
