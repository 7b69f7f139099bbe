"""Helpers of plain Python: each has a fake or a reason, and each method of a map is there."""

import inspect
from types import SimpleNamespace

import pytest

import skep
from skep import FakeKernel, Packet, Struct, Task, u8, u32, u64
from skep.lang.front import map_methods, methods, references, timers
from skep.lang.helpers import HELPERS
from skep.lang.maps import Declaration
from skep.lang.plain.helpers import FAKES, UNFAKED
from skep.lang.plain.memory import fresh
from skep.lang.plain.rings import LongRecordView, RecordView
from skep.lang.plain.timers import FakeReference, FakeTimer
from tests.unit.lang import corpus
from tests.unit.lang.prelude import Note

TC, XDP = '@skep.tc("egress")\ndef p(ctx):\n', "@skep.xdp\ndef p(ctx):\n"


class Value(Struct):
    """A value."""

    number: u64


PATTERN = skep.Hash(u32, u64, 4)
DECLARED: tuple[Declaration, ...] = (
    *(kind(u32, u64, 4) for kind in (skep.Hash, skep.LruHash, skep.PerCpuHash, skep.LruPerCpuHash)),
    *(kind(u64, 4) for kind in (skep.Array, skep.PerCpuArray, skep.Queue, skep.Stack, skep.Bloom)),
    skep.Lpm(skep.Prefix4, u64, 4),
    skep.StackTraces(4, 4),
    skep.Ring(Note),
    skep.VariableRing(Note),
    skep.ArrayOfMaps(PATTERN, 4),
    skep.HashOfMaps(u32, PATTERN, 4),
    *(kind(4) for kind in (skep.ProgArray, skep.CgroupArray, skep.DevMap, skep.DevHash)),
    *(kind(4) for kind in (skep.CpuMap, skep.XskMap, skep.SockMap, skep.ReuseportArray)),
    skep.SockHash(u32, 4),
    *(kind(Value) for kind in (skep.TaskStorage, skep.SocketStorage, skep.InodeStorage)),
    skep.CgroupStorage(Value),
    skep.PerfBuffer(Value),
    skep.UserRing(Value),
)


def run(
    lines: str, packet: bytes | bytearray, head: str = TC, **given: object
) -> tuple[int, FakeKernel]:
    """What a program gives for a packet, and its kernel."""
    kernel = FakeKernel(**given)  # type: ignore[arg-type]
    body = "".join(f"    {line}\n" for line in lines.splitlines())
    return corpus.program(f"{head}{body}").py(packet, kernel=kernel), kernel


def test_each_helper_has_a_fake_or_a_reason_for_having_none() -> None:
    assert set(FAKES) & set(UNFAKED) == set()
    assert {*FAKES, *UNFAKED} == set(HELPERS)


@pytest.mark.parametrize("name", sorted(UNFAKED))
def test_a_helper_without_a_fake_says_why(name: str) -> None:
    with pytest.raises(TypeError, match=rf"no {name}\(\): it|no {name}\(\): what") as refused:
        FakeKernel().call(name)
    assert f"give one: FakeKernel(helpers={{'{name}': lambda ...: ...}})" in str(refused.value)


@pytest.mark.parametrize("name", sorted(FAKES))
def test_a_fake_takes_the_arguments_of_its_helper(name: str) -> None:
    wanted = [kind for kind in HELPERS[name].args if kind.name != "CONTEXT"]
    inspect.signature(FAKES[name]).bind(None, *wanted)


@pytest.mark.parametrize("declared", DECLARED, ids=lambda one: type(one).__name__)
def test_each_method_of_a_map_has_a_fake(declared: Declaration) -> None:
    table, _ = methods.BY_TYPE.get(declared.type, (map_methods.TABLE, ""))
    fake = FakeKernel().inside(declared)
    assert [name for name in table if not hasattr(fake, name)] == []


def test_what_stands_in_values_and_records_has_each_method() -> None:
    for table, fake in (
        (timers.TIMER, FakeTimer),
        (references.REFERENCE, FakeReference),
        (methods.RECORD_METHODS, RecordView),
        (methods.LONG_METHODS, LongRecordView),
        (methods.CONTEXT_METHODS, Packet),
    ):
        assert [name for name in table if not hasattr(fake, name)] == []


def test_sizes_that_are_left_out_are_those_of_the_memory() -> None:
    packet = bytearray(range(20))
    lines = "a = u8[4]()\nskep.skb_load_bytes(2, a)\nskep.skb_store_bytes(10, a, 2, 0)\nreturn a[3]"
    assert run(lines, packet)[0] == 5
    assert packet[8:14] == bytes((8, 9, 2, 3, 12, 13))


def test_a_packet_grows_and_shrinks_and_the_callers_bytes_with_it() -> None:
    packet = bytearray(range(20))
    lines = "skep.xdp_adjust_head(-2)\nskep.xdp_adjust_tail(-4)\nv = ctx.view(u16)\n"
    lines += "if v is None:\n    return 0\nv[0] = 0x0101\nreturn len(ctx)"
    assert run(lines, packet, XDP)[0] == 18
    assert packet == bytes((1, 1)) + bytes(range(16))


def test_what_stands_at_addresses_is_read() -> None:
    objects = {0x10: "text", 0x20: Value(5), 0x30: b"\1\2\3\4"}
    lines = (
        "a = char[8]()\nb = u64[1]()\nc = u8[4]()\nn = skep.probe_read_kernel_str(a, u64(16))\n"
        "skep.probe_read_kernel(b, u64(32))\nskep.probe_read_user(c, u64(48))\n"
        "gone = skep.probe_read_user(c[:2], u64(0))\n"
        "return n * 1000 + s64(b[0]) * 100 + s64(c[3]) * 10 + s64(c[0]) + gone"
    )
    assert run(lines, bytes(20), objects=objects)[0] == 5 * 1000 + 5 * 100 + 40 - 14


def test_what_a_run_does_to_the_world_is_noted() -> None:
    task = Task(pid=7, tid=8, comm="sh")
    lines = (
        "skep.send_signal(9)\nreturn skep.redirect(3, 0) * 10 + skep.get_current_task_btf().tgid"
    )
    verdict, kernel = run(lines, bytes(20), task=task)
    assert (verdict, kernel.signals, kernel.sent) == (77, [9], [3])
    assert run("return skep.redirect(3, 4)", bytes(20))[0] == 2


@pytest.mark.parametrize(
    ("text", "base", "used", "value"),
    [
        ("12ab", 0, 2, 12),
        (" -7", 10, 3, -7),
        ("0x1f ", 0, 4, 31),
        ("017", 0, 3, 15),
        ("0", 0, 1, 0),
        ("ff", 16, 2, 255),
        ("", 10, -22, 0),
        ("9999999999999999999", 10, -34, 0),
        ("5", 3, -22, 0),
    ],
)
def test_text_is_read_as_a_number(text: str, base: int, used: int, value: int) -> None:
    kernel, memory, result = FakeKernel(), fresh(u8[20]), fresh(u64)
    memory[:] = text.encode().ljust(20, b"\0")  # type: ignore[index, assignment]
    assert kernel.call("strtol", memory, base, result) == used
    assert int(result) == value % (1 << 64)  # type: ignore[arg-type]


def test_an_own_fake_of_a_helper_goes_first() -> None:
    said: list[object] = []

    def redirect(*given: int) -> int:
        said.append(given)
        return 3

    kernel = FakeKernel(helpers={"redirect": redirect})
    assert corpus.program(f"{TC}    return skep.redirect(5, 0)\n").py(bytes(20), kernel=kernel) == 3
    assert said == [(5, 0)]


def test_a_context_that_is_no_packet_is_told() -> None:
    with pytest.raises(TypeError, match="is no packet"):
        run("return skep.skb_pull_data(0)", SimpleNamespace(len=20))  # type: ignore[arg-type]


def test_a_number_that_was_looked_up_is_an_address() -> None:
    lines = """counts[5] = 16
found = counts.lookup(5)
text = u8[4]()
if found is not None:
    skep.probe_read_kernel(text, found)
return text[1]"""
    assert run(lines, bytes(14), objects={16: b"\x01\x07"})[0] == 7
