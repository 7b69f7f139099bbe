"""When a process's heap is looked at."""

from skep.agent.heap import EVERY, Heap


def filled_gaps() -> list[bytes]:
    """Leaves gaps of many pages between pieces that stay."""
    pieces = [bytes(20_000) for _ in range(1_000)]
    return pieces[::2]


def test_gaps_go_back_now_and_then() -> None:
    heap, kept = Heap(), [filled_gaps()]
    assert heap.tidy(5)
    kept.append(filled_gaps())
    assert not heap.tidy(4 + EVERY)
    assert heap.tidy(5 + EVERY)
