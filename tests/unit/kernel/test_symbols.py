"""Names of addresses from a list like the kernel's: mostly sorted, with aliases, data and modules."""

from pathlib import Path

import pytest

from skep.kernel.symbols import Symbols

BASE = 0xFFFF_FFFF_8100_0000
KALLSYMS = """\
0000000000000000 A fixed_percpu_data
ffffffff81000000 T _stext
ffffffff81000000 T _text
ffffffff81000040 t tcp_v4_rcv
ffffffff81000100 T __pi_memcpy
ffffffff81000100 W memcpy
ffffffff81000200 D data_between
ffffffff81000300 t icmp_rcv
ffffffff81000400 r __func__
ffffffffc0002000 t second\t[veth]
ffffffffc0001000 t first\t[veth]
"""


@pytest.fixture
def kallsyms(tmp_path: Path) -> Path:
    path = tmp_path / "kallsyms"
    path.write_text(KALLSYMS)
    return path


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (BASE + 0x41, "tcp_v4_rcv+0x1"),
        (BASE + 0xFF, "tcp_v4_rcv+0xbf"),
        (BASE + 0x100, "__pi_memcpy+0x0"),
        (BASE + 0x101, "__pi_memcpy+0x1"),
        (BASE + 0x210, "__pi_memcpy+0x110"),
        (BASE + 0x500, "icmp_rcv+0x200"),
        (BASE + 0x20, "_stext+0x20"),
        (0xFFFF_FFFF_C000_1010, "first+0x10 [veth]"),
        (0xFFFF_FFFF_C000_2001, "second+0x1 [veth]"),
    ],
)
def test_an_address_is_named_after_the_function_that_it_lies_in(
    kallsyms: Path, address: int, name: str
) -> None:
    assert Symbols(str(kallsyms)).name(address) == name


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (BASE + 0x41, "tcp_v4_rcv+0x1"),
        (BASE + 0x100, "tcp_v4_rcv+0xc0"),
        (0xFFFF_FFFF_C000_2000, "first+0x1000 [veth]"),
        (0x10, "0x10"),
    ],
)
def test_an_address_that_a_call_returns_to_is_named_after_the_function_that_called(
    kallsyms: Path, address: int, name: str
) -> None:
    symbols = Symbols(str(kallsyms))
    assert [symbols.caller(address), *symbols.callers([address])] == [name, name]


def test_an_address_that_no_function_holds_is_a_number(kallsyms: Path) -> None:
    symbols = Symbols(str(kallsyms))
    for address in (0x10, BASE - 1, BASE + (2 << 20), 0xFFFF_FFFF_F000_0000):
        assert symbols.name(address) == f"{address:#x}"


@pytest.mark.parametrize("text", ["", "0000000000000000 T hidden\n0000000000000000 t from_us\n"])
def test_a_list_that_tells_nothing_gives_numbers(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kallsyms"
    path.write_text(text)
    assert Symbols(str(path)).name(BASE) == hex(BASE)
    assert Symbols(str(tmp_path / "missing")).name(BASE) == hex(BASE)


def test_what_is_known_is_not_read_again(kallsyms: Path) -> None:
    symbols = Symbols(str(kallsyms))
    symbols.learn([BASE + 0x41, BASE + 0x301])
    kallsyms.unlink()
    assert symbols.name(BASE + 0x41) == "tcp_v4_rcv+0x1"
    assert symbols.name(BASE + 0x301) == "icmp_rcv+0x1"
    assert symbols.name(BASE + 0x42) == hex(BASE + 0x42)


def test_stacks_are_functions_by_name_without_the_way_into_the_program(tmp_path: Path) -> None:
    """The innermost frame may be where a function begins; the others are where calls return to."""
    path = tmp_path / "kallsyms"
    names = ("first", "schedule", "__traceiter_x", "bpf_trace_run4", "bpf_prog_1_mine\t[bpf]")
    path.write_text("".join(f"{BASE + i * 16:016x} t {name}\n" for i, name in enumerate(names)))
    first, schedule, iterates, runs, program = (BASE + i * 16 for i in range(len(names)))
    symbols = Symbols(str(path))
    assert symbols.stacks(
        [[program + 8, runs + 8, iterates + 16, schedule + 8, first + 1, 0, 0], [schedule], []]
    ) == [["schedule", "first"], ["schedule"], []]
    path.unlink()
    assert symbols.stacks([[schedule]]) == [["schedule"]]


def test_a_frame_that_made_a_call_with_its_last_instruction_has_its_own_name(
    kallsyms: Path,
) -> None:
    """What a call returns to is behind the function then; the innermost frame is where it stands."""
    symbols = Symbols(str(kallsyms))
    assert symbols.stacks([[BASE + 0x100, BASE + 0x300, BASE + 0x100]]) == [
        ["__pi_memcpy", "__pi_memcpy", "tcp_v4_rcv"]
    ]


def test_more_stacks_than_are_remembered_are_named_at_once(kallsyms: Path) -> None:
    symbols = Symbols(str(kallsyms), most=4)
    frames = [BASE + 0x300 + offset for offset in range(1, 99)]
    symbols.name(frames[0])
    assert symbols.stacks([frames]) == [["icmp_rcv"] * 98]


def test_memory_is_bounded(kallsyms: Path) -> None:
    symbols = Symbols(str(kallsyms), most=4)
    for offset in range(1, 200):
        assert symbols.name(BASE + 0x300 + offset) == f"icmp_rcv+{offset:#x}"
        assert len(symbols._places) <= 4


def test_a_list_of_many_blocks_is_read_as_one(tmp_path: Path) -> None:
    path = tmp_path / "kallsyms"
    path.write_text("".join(f"{BASE + i * 16:016x} t function_number_{i}\n" for i in range(20_000)))
    wanted = {BASE + i * 16 + 8: f"function_number_{i}+0x8" for i in range(0, 20_000, 777)}
    symbols = Symbols(str(path))
    symbols.learn(wanted)
    assert {address: symbols.name(address) for address in wanted} == wanted
