"""Argument vectors that are long, cut, or no text."""

from hypothesis import given
from hypothesis import strategies as st

from skep.node.arguments import ARGS, FILENAME, LARGEST, Part, Text, Texts, argv, whole


def test_a_vector_is_split_at_its_nuls() -> None:
    assert argv(b"ls\0-l\0/tmp\0") == ["ls", "-l", "/tmp"]
    assert argv(b"sh\0\0x\0") == ["sh", "", "x"]
    assert argv(b"\0") == [""]
    assert argv(b"") == []
    assert argv(b"cut of") == ["cut of"]


def test_what_is_not_utf8_stays_readable() -> None:
    assert argv(b"caf\xc3\xa9\0\xff\xfe\0") == ["café", "\\xff\\xfe"]


def parts(value: int, data: bytes, begin: int, size: int = 4096, seq: int = 7) -> list[Part]:
    return [Part(seq, value, i, data[i : i + size]) for i in range(begin, len(data), size)]


def test_a_hundred_kilobytes_arrive_whole_in_any_order() -> None:
    data = b"".join(b"argument-%06d\0" % i for i in range(7_000))
    assert len(data) > 100_000
    texts = Texts()
    texts.add(reversed(parts(ARGS, data, 96)))
    assert texts.take(7, ARGS, data[:96], len(data)) == Text(data, cut=False)
    assert len(argv(data)) == 7_000


def test_file_name_and_arguments_are_told_apart() -> None:
    texts = Texts()
    texts.add([Part(7, FILENAME, 2, b"cd"), Part(7, ARGS, 2, b"yz"), Part(8, ARGS, 2, b"!!")])
    assert texts.take(7, FILENAME, b"ab", 4) == Text(b"abcd", cut=False)
    assert texts.take(7, ARGS, b"wx", 4) == Text(b"wxyz", cut=False)


def test_a_lost_part_cuts_and_nothing_is_taken_after_the_gap() -> None:
    data = bytes(range(1, 101))
    kept = [p for p in parts(ARGS, data, 10, size=30) if p.offset != 40]
    assert whole(data[:10], 100, kept) == Text(data[:40], cut=True)


def test_a_part_that_comes_twice_or_overlaps_does_no_harm() -> None:
    data = bytes(range(1, 101))
    given_parts = parts(ARGS, data, 10, size=30) * 2 + [Part(7, ARGS, 5, data[5:60])]
    assert whole(data[:10], 100, given_parts) == Text(data, cut=False)


def test_what_fits_needs_no_parts() -> None:
    assert whole(b"ls\0" + bytes(93), 3, []) == Text(b"ls\0", cut=False)


def test_more_than_the_largest_is_cut() -> None:
    data = bytes(LARGEST + 1)
    assert Texts().take(1, ARGS, data, len(data)) == Text(data[:LARGEST], cut=False)


def test_what_was_handled_or_never_asked_for_goes() -> None:
    texts = Texts()
    for seq in (3, 5, 9):
        texts.add([Part(seq, ARGS, 0, b"abc")])
    texts.done(5)
    assert len(texts) == 3
    assert texts.take(9, ARGS, b"", 3).data == b"abc"
    assert texts.take(5, ARGS, b"", 3) == Text(b"", cut=True)
    assert texts.dropped == 0


def test_waiting_parts_are_bounded_and_counted() -> None:
    texts = Texts(execs=10)
    for seq in range(100):
        texts.add([Part(seq, ARGS, 0, b"x" * 4096)])
    assert len(texts) == 10 * 4096
    assert texts.dropped == 90
    assert texts.take(99, ARGS, b"", 4096).cut is False


@given(st.binary(max_size=400), st.integers(0, 400), st.integers(1, 50), st.randoms())
def test_any_cutting_gives_the_data_back(
    data: bytes, head: int, size: int, chance: st.DataObject
) -> None:
    pieces = parts(ARGS, data, min(head, len(data)), size)
    chance.shuffle(pieces)  # type: ignore[attr-defined]  # hypothesis gives a Random
    assert whole(data[:head], len(data), pieces) == Text(data, cut=False)


def test_parts_that_wait_have_four_kilobytes_for_each_exec() -> None:
    texts = Texts(execs=2)
    texts.add([Part(1, ARGS, 0, bytes(4096)), Part(2, ARGS, 0, bytes(4096))])
    assert (len(texts), texts.dropped) == (8192, 0)
    texts.add([Part(2, ARGS, 4096, b"x")])
    assert (len(texts), texts.dropped) == (4097, 1)
