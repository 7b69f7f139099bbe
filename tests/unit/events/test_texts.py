"""Long values, put together from pieces in any order, within bounds."""

from hypothesis import given
from hypothesis import strategies as st

from skep.events.losses import LossCounter
from skep.events.texts import PIECE, TEXT_HEADER, Assembler, Piece, Text, Whole, pieces
from skep.lang.scatter import BUSY
from tests.unit.events.synthetic import PATIENT, SyntheticRing

ARGS = 1


def text(of: int, offset: int, data: bytes, whole: int) -> bytes:
    """The bytes of a Text record as a program sends it: cut behind its used bytes."""
    padded = list(data.ljust(PIECE, b"\xaa"))
    record = Text(of=of, part=ARGS, offset=offset, whole=whole, used=len(data), text=padded)
    return record.to_bytes()[: TEXT_HEADER + len(data)]


def test_pieces_are_read_in_order_whatever_their_size() -> None:
    ring = SyntheticRing(8192, start=8192 - 40)
    ring.put(text(5, 0, b"abc", 10))
    ring.put(text(5, 3, b"defghij", 10), flags=1 << 30)
    ring.put(text(6, 0, b"x" * PIECE, PIECE))
    ring.put(text(6, 7, b"yz", 9) + b"stale memory")
    ring.put(b"short")
    ring.put(text(7, 0, b"late", 4), flags=BUSY)
    ring.put(text(8, 0, b"after", 5))
    assert list(pieces(ring)) == [
        Piece(5, ARGS, 0, 10, b"abc"),
        Piece(6, ARGS, 0, PIECE, b"x" * PIECE),
        Piece(6, ARGS, 7, 9, b"yz"),
    ]


@PATIENT
@given(
    st.binary(min_size=1, max_size=60),
    st.integers(0, 20),
    st.lists(st.integers(1, 15), min_size=1, max_size=8),
    st.randoms(use_true_random=False),
    st.integers(0, 8),
)
def test_a_value_is_whole_in_whatever_order_its_pieces_come(
    value: bytes, head: int, sizes: list[int], random: object, wanted_after: int
) -> None:
    assembler = Assembler()
    head = min(head, len(value))
    cuts: list[Piece] = []
    at = head
    while at < len(value):
        size = sizes[len(cuts) % len(sizes)]
        cuts.append(Piece(9, ARGS, at, len(value), value[at : at + size]))
        at += size
    random.shuffle(cuts)  # type: ignore[attr-defined]
    for piece in [*cuts[:wanted_after], None, *cuts[wanted_after:]]:
        if piece is None:
            assembler.want(9, ARGS, value[:head], len(value))
        else:
            assembler.add(piece)
    assert assembler.finish() == [Whole(9, ARGS, value, cut=False)]
    assert assembler.held == 0
    assert assembler.finish() == []


def test_overlapping_pieces_do_not_spoil_a_value() -> None:
    assembler = Assembler()
    assembler.want(1, ARGS, b"abcdef", 9)
    assembler.add(Piece(1, ARGS, 2, 9, b"cd"))
    assembler.add(Piece(1, ARGS, 4, 9, b"efghi"))
    assert assembler.finish() == [Whole(1, ARGS, b"abcdefghi", cut=False)]


def test_values_of_two_records_and_two_parts_do_not_mix() -> None:
    assembler = Assembler()
    for of, part in ((1, 0), (1, 1), (2, 1)):
        assembler.want(of, part, b"", 2)
        assembler.add(Piece(of, part, 0, 2, bytes([of, part])))
    assert [whole.data for whole in assembler.finish()] == [b"\1\0", b"\1\1", b"\2\1"]


def test_a_value_that_is_not_whole_after_some_batches_is_given_cut_and_counted() -> None:
    assembler = Assembler(patience=2)
    assembler.want(1, ARGS, b"abc", 10)
    assembler.add(Piece(1, ARGS, 3, 10, b"d"))
    assembler.add(Piece(1, ARGS, 8, 10, b"ij"))
    assert assembler.finish() == []
    assert assembler.finish() == []
    assert assembler.finish() == [Whole(1, ARGS, b"abcd", cut=True)]
    assert assembler.losses() == LossCounter("texts", passed=0, lost=1)
    assert assembler.held == 0


def test_with_no_patience_what_is_not_whole_is_given_up_at_once() -> None:
    assembler = Assembler(patience=0)
    assembler.want(1, ARGS, b"abc", 10)
    assert assembler.finish() == [Whole(1, ARGS, b"abc", cut=True)]


def test_pieces_that_nobody_wants_are_dropped_and_counted() -> None:
    assembler = Assembler(patience=1)
    assembler.add(Piece(1, ARGS, 0, 3, b"abc"))
    assert [assembler.finish(), assembler.finish()] == [[], []]
    assert (assembler.held, assembler.lost) == (0, 1)


def test_memory_is_bounded_and_the_oldest_goes_first() -> None:
    assembler = Assembler(limit=10_000)
    for of in range(100):
        assembler.want(of, ARGS, b"", 2000)
        assembler.add(Piece(of, ARGS, 0, 2000, bytes(1000)))
        assert assembler.held <= 10_000
    given = assembler.finish()
    assert [whole.of for whole in given] == list(range(len(given)))
    assert all(whole.cut for whole in given)
    assert assembler.lost == len(given) > 90


def test_announcements_without_pieces_are_bounded_too() -> None:
    assembler = Assembler(limit=10_000)
    for of in range(1000):
        assembler.want(of, ARGS, b"", 2000)
    assert assembler.held <= 10_000


def test_a_piece_that_comes_twice_counts_once() -> None:
    assembler = Assembler()
    assembler.want(1, ARGS, b"", 4)
    assembler.add(Piece(1, ARGS, 0, 4, b"ab"))
    assembler.add(Piece(1, ARGS, 0, 4, b"ab"))
    assert assembler.finish() == []
    assembler.add(Piece(1, ARGS, 2, 4, b"cd"))
    assert assembler.finish() == [Whole(1, ARGS, b"abcd", cut=False)]
    assert assembler.held == 0
