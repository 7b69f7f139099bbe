"""Programs run as plain Python: what they find around them, and what they leave."""

import traceback
from types import SimpleNamespace

import pytest

from skep.lang.plain import rebuild
from skep.lang.plain.kernel import FakeKernel, Task
from skep.lang.plain.packets import Packet
from skep.lang.programs import Program
from tests.unit.lang import corpus, prelude
from tests.unit.lang.prelude import STATE, counts, pairs, ring, stacks

XDP = "@skep.xdp\ndef p(ctx):\n"
EXEC = '@skep.tp_btf("sched_process_exec")\ndef p(task):\n'


def program(lines: str, head: str = XDP, before: str = "") -> Program:
    body = "".join(f"    {line}\n" for line in lines.splitlines())
    return corpus.program(f"{before}{head}{body}")


def run(
    lines: str, *args: object, head: str = XDP, before: str = "", kernel: FakeKernel | None = None
) -> int:
    return program(lines, head, before).py(*(args or (bytes(64),)), kernel=kernel)


def test_a_program_that_says_nothing_gives_its_kinds_own_result() -> None:
    assert run("pass") == 2
    assert run("return", head='@skep.tc("egress")\ndef p(ctx):\n') == -1
    assert run("pass", SimpleNamespace(), head=EXEC) == 0


def test_a_function_is_rewritten_once_for_however_many_kernels() -> None:
    counted = program("counts[1] = 5")
    before = rebuild._rewritten.cache_info().misses
    kernels = [FakeKernel() for _ in range(3)]
    assert [counted.py(bytes(64), kernel=kernel) for kernel in kernels[:2]] == [2, 2]
    assert rebuild._rewritten.cache_info().misses == before + 1
    assert [len(kernel[counts]) for kernel in kernels] == [1, 1, 0]


def test_a_result_is_32_bits_and_signed() -> None:
    assert run("return 0xFFFFFFFF") == -1
    assert run("return u64(1) << 32") == 0
    assert run("return STATE.small == 0") == 1


def test_kernel_structs_are_any_objects_with_attributes() -> None:
    task = SimpleNamespace(tgid=5, comm="sh", real_parent=SimpleNamespace(tgid=3))
    kernel = FakeKernel()
    lines = "STATE.name = task.comm\nSTATE.big = task.real_parent.tgid - 4\nreturn task.tgid"
    assert run(lines, task, head=EXEC, kernel=kernel) == 5
    assert (kernel[STATE][0].name, kernel[STATE][0].big) == ("sh", (1 << 64) - 1)


def test_maps_rings_and_globals_are_those_of_the_kernel_that_is_given() -> None:
    kernel = FakeKernel(now=9)
    lines = (
        "counts.increment(5)\ncounts[6] = 7\n"
        "if 5 in counts and 8 not in counts:\n    pairs[Pair(1, 2)] = Wide(small=3)\n"
        "e = ring.reserve()\nif e is None:\n    return 1\ne.pid = 4\ne.comm = STATE.name\ne.submit()\n"
        "STATE.inner.first += 1\nreturn 0"
    )
    for _ in range(2):
        assert run(lines, kernel=kernel) == 0
    assert dict(kernel[counts]) == {5: 2, 6: 7}
    assert kernel[pairs][prelude.Pair(1, 2)].small == 3
    assert [(e.seq, e.time, e.pid) for e in kernel[ring].poll()] == [(0, 9, 4), (1, 9, 4)]
    assert kernel[STATE][0].inner.first == 2
    assert run("return 5 in counts") == 0  # another kernel


def test_a_record_that_is_kept_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="p neither submitted nor discarded: Note"):
        run("e = ring.reserve()")


def test_helpers_tell_what_the_test_says() -> None:
    kernel = FakeKernel(
        task=Task(pid=7, tid=8, uid=9, gid=10, comm="a long command name", cgroup=11), now=12, cpu=1
    )
    lines = (
        "skep.get_current_comm(STATE.name)\nSTATE.big = skep.get_current_pid_tgid()\n"
        "STATE.inner.first = u32(skep.get_current_uid_gid())\nSTATE.inner.second = u32(skep.get_current_cgroup_id())\n"
        "return s32(skep.ktime_get_ns()) * 10 + s32(skep.get_smp_processor_id())"
    )
    assert run(lines, kernel=kernel) == 121
    state = kernel[STATE][0]
    assert (state.name, state.big, state.inner) == (
        "a long command ",
        7 << 32 | 8,
        prelude.Pair(9, 11),
    )


def test_a_helper_without_a_fake_says_how_to_give_one() -> None:
    with pytest.raises(TypeError, match=r"no get_stackid\(\): it walks a stack; give one: "):
        run("return skep.get_stackid(stacks, 0)")


def test_a_test_gives_helpers_of_its_own() -> None:
    seen: list[object] = []
    kernel = FakeKernel(helpers={"get_stackid": lambda *args: seen.append(args) or -5})  # type: ignore[func-returns-value]
    assert run("return skep.get_stackid(stacks, 3)", kernel=kernel) == -5
    assert seen == [(kernel[stacks], 3)]


def test_atomic_operations_change_memory_and_give_what_was_there() -> None:
    kernel = FakeKernel()
    kernel[counts][1] = 5
    lines = (
        "c = counts.lookup(1)\nif c is None:\n    return -1\n"
        "a = skep.atomic_add(c, 2)\nb = skep.atomic_or(STATE.big, 6)\nd = skep.atomic_cmpxchg(STATE.big, 6, 9)\n"
        "return s32(a) * 100 + s32(b) * 10 + s32(d)"
    )
    assert run(lines, kernel=kernel) == 506
    assert (kernel[counts][1], kernel[STATE][0].big) == (7, 9)


def test_an_atomic_operation_on_a_variable_is_an_error() -> None:
    with pytest.raises(TypeError, match="takes a number in memory"):
        run("n = u32(1)\nskep.atomic_add(n, 1)")


def test_byte_order_is_changed_as_in_the_kernel() -> None:
    assert run("return skep.htons(80) == 0x5000 and skep.ntohl(1) == 1 << 24") == 1


def test_a_packet_is_bytes_and_a_bytearray_is_changed_in_place() -> None:
    lines = "e = ctx.view(Eth)\nif e is None:\n    return ctx.len\ne.proto = 0x800\nreturn e.dst[0]"
    packet = bytearray([7] * 14)
    assert run(lines, packet) == 7
    assert packet[12:] == b"\x08\x00"
    assert run(lines, bytes(13)) == 13


def test_a_packet_has_the_fields_that_it_is_given() -> None:
    assert (
        run(
            "return ctx.mark + ctx.len",
            Packet(bytes(20), mark=5),
            head='@skep.tc("egress")\ndef p(ctx):\n',
        )
        == 25
    )


def test_functions_are_run_the_same_way() -> None:
    before = "def f(n: u8):\n    n += 1\n    counts.increment(n)\n    return n\n\n\n"
    kernel = FakeKernel()
    assert run("return f(511) + double(0xFFFFFFFF)", before=before, kernel=kernel) == -2
    assert dict(kernel[counts]) == {0: 1}


def test_a_variable_that_is_annotated_has_its_width_wherever_it_is_assigned() -> None:
    assert run("n: u8 = 255\nn += 2\nreturn n") == 1
    assert run("n: u8\nif True:\n    n = 300\nreturn n") == 44
    assert run("n: s8 = 127\nfor n in range(128, 129):\n    pass\nreturn n") == -128


def test_truth_values_and_literals_know_the_rules_too() -> None:
    assert run("return (1 > 0) // (1 > 2)") == 0
    assert run("return 7 % 0") == 7
    assert run("return min(u32(5), 7) - 6 == 0xFFFFFFFF") == 1
    assert run("t: u64 = 0\nfor i in range(u32(3)):\n    t += i - 5 > 1 << 31\nreturn t") == 3


def test_captured_constants_are_as_they_are() -> None:
    assert run("return LIMIT * 100 + CHOICES[1] * 10 + Color.GREEN") == 1032


def test_local_memory_is_made_zero() -> None:
    assert (
        run(
            "a = u8[4]()\na[1] += 300\nb = Pair(second=5)\nreturn a[1] * 100 + b.second + b.first + len(a)"
        )
        == 4409
    )


def test_a_traceback_shows_the_users_lines() -> None:
    with pytest.raises(AttributeError) as caught:
        run("n = 1\nreturn task.nothing", SimpleNamespace(), head=EXEC)
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (last.filename, last.lineno, last.line) == (corpus.FILE, 4, "return task.nothing")


def test_calling_a_program_itself_says_how_to_run_it() -> None:
    with pytest.raises(TypeError, match=r"as plain Python: p\.py"):
        program("pass")()
