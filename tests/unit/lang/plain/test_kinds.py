"""Programs of each family of kinds as plain Python: their parameters are objects, what they set is seen afterwards."""

from types import SimpleNamespace

import pytest

import skep
from skep import FakeKernel, Hash, Struct, s32, s64, u8, u32, u64

opens = Hash(u32, u64, 8)


class Request(Struct):
    """The context of a syscall program."""

    left: u32
    sum: u32


@skep.cgroup("connect4")
def moves(ctx):  # type: ignore[no-untyped-def]
    if ctx.user_port == 80:
        ctx.user_ip4 = 0x7F000001
    else:
        skep.set_retval(-13)
        return 0
    return 1


@skep.lsm("file_open")
def guards(file, result):  # type: ignore[no-untyped-def]
    if result != 0:
        return result
    return -1 if file.f_flags & 1 else 0


@skep.fexit("do_unlinkat")
def counts(dfd, name, result):  # type: ignore[no-untyped-def]
    if result == 0:
        opens.increment(s32(dfd))


@skep.uprobe("libc", "malloc")
def sizes(size: u64):  # type: ignore[no-untyped-def]
    opens[1] = size


@skep.kretprobe("do_exit")
def ends(result):  # type: ignore[no-untyped-def]
    opens[2] = u64(s64(result))


@skep.syscall_program()
def adds(ctx: Request):  # type: ignore[no-untyped-def]
    ctx.sum = ctx.left + 1
    return 7


@skep.cgroup("setsockopt")
def narrows(ctx):  # type: ignore[no-untyped-def]
    value = ctx.view(u8)
    if value is None:
        return 0
    value[0] = 5
    return 1


def test_a_context_is_an_object_whose_fields_are_set() -> None:
    there = SimpleNamespace(user_ip4=1, user_port=80)
    assert moves.py(there) == 1
    assert there.user_ip4 == 0x7F000001
    said: list[int] = []
    kernel = FakeKernel(helpers={"set_retval": lambda code: said.append(int(code))})
    assert moves.py(SimpleNamespace(user_ip4=1, user_port=1), kernel=kernel) == 0
    assert said == [-13]


@pytest.mark.parametrize(("flags", "result", "verdict"), [(0, 0, 0), (1, 0, -1), (1, -5, -5)])
def test_a_result_before_is_a_parameter(flags: int, result: int, verdict: int) -> None:
    assert guards.py(SimpleNamespace(f_flags=flags), result) == verdict


def test_arguments_and_results_are_numbers() -> None:
    kernel = FakeKernel()
    counts.py(3, None, 0, kernel=kernel)
    counts.py(3, None, -2, kernel=kernel)
    sizes.py(u64(4096), kernel=kernel)
    ends.py(s64(-1), kernel=kernel)
    assert dict(kernel[opens]) == {3: 1, 1: 4096, 2: (1 << 64) - 1}


def test_a_struct_of_ones_own_is_changed_in_place() -> None:
    request = Request(left=41)
    assert adds.py(request) == 7
    assert request.sum == 42


def test_the_value_of_an_option_is_bytes() -> None:
    value = bytearray(b"\x09\0\0\0")
    assert narrows.py(skep.Packet(value)) == 1
    assert value[0] == 5
