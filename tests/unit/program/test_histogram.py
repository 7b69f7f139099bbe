"""Counts of maps as bars."""

import skep
from skep import FakeKernel, Hash, Histogram, PerCpuArray, Struct, char, u8, u32, u64

BARS = """\
 < 4 us  3 #####
 < 8 us  0
< 16 us 30 ##################################################
"""


class Slot(Struct):
    """A histogram for each disk."""

    disk: char[8]
    slot: u32


class WaySlot(Struct):
    """A histogram for each disk and way."""

    disk: char[8]
    way: u8
    slot: u8


by_cpu = PerCpuArray(u64, 8)
by_disk = Hash(Slot, u64, 16)
by_way = Hash(WaySlot, u64, 16)


def test_bars_go_from_the_first_slot_that_is_used_to_the_last() -> None:
    assert f"{Histogram((0, 3, 0, 30, 0, 0), 'us')}\n" == BARS
    assert str(Histogram((7,))) == "< 2 7 " + "#" * 50
    assert str(Histogram((0, 0))) == str(Histogram(())) == "nothing was counted"


def test_slots_are_powers_of_two_or_of_one_width() -> None:
    assert [Histogram(()).below(slot) for slot in range(4)] == [2, 4, 8, 16]
    assert [Histogram((), step=50).below(slot) for slot in range(3)] == [50, 100, 150]
    assert str(Histogram((0, 2), "ms", step=5)) == f"< 10 ms 2 {'#' * 50}"


def test_a_slot_of_one_value_is_named_by_it() -> None:
    assert str(Histogram((2, 0, 4), step=1)).splitlines() == [
        f"0 2 {'#' * 25}",
        "1 0",
        f"2 4 {'#' * 50}",
    ]


def test_the_counts_of_all_cpus_are_one_count() -> None:
    kernel = FakeKernel(cpus=2)
    kernel[by_cpu][1] = [1, 2]
    kernel[by_cpu][3] = [30, 0]
    made = Histogram.of(kernel[by_cpu], "us")
    assert (made, made.total) == (Histogram((0, 3, 0, 30, 0, 0, 0, 0), "us"), 33)


def test_there_is_a_histogram_for_each_key() -> None:
    kernel = FakeKernel()
    for key, count in ((Slot("sda", 2), 5), (Slot("sdb", 0), 1), (Slot("sda", 0), 6)):
        kernel[by_disk][key] = count
    assert Histogram.by_key(kernel[by_disk], "us") == {
        "sda": Histogram((6, 0, 5), "us"),
        "sdb": Histogram((1,), "us"),
    }
    kernel[by_way][WaySlot("sda", 1, 1)] = 5
    kernel[by_way][WaySlot("sda", 0, 0)] = 1
    assert Histogram.by_key(kernel[by_way], step=10) == {
        ("sda", 1): Histogram((0, 5), step=10),
        ("sda", 0): Histogram((1,), step=10),
    }


@skep.xdp
def powers(ctx):  # type: ignore[no-untyped-def]
    """The logarithm of what a packet begins with."""
    v = ctx.view(u64)
    return 0 if v is None else skep.log2(v[0])


def test_a_number_reaches_a_power_of_two() -> None:
    for value in (0, 1, 2, 3, 4, 7, 8, 255, 256, (1 << 33) + 5, (1 << 64) - 1):
        packet = bytearray(value.to_bytes(8, "little") + bytes(20))
        assert powers.py(packet) == max(value.bit_length() - 1, 0)
