"""The end of a chained program: a tail call to the one behind it."""

from skep.lang.chains import Chain
from skep.lang.emit.function import Writer

TAIL_CALL = 12


def go_on(w: Writer, chain: Chain, kind: str, result: str) -> None:
    """Write the jump, taken at the verdict to go on; what follows runs where there is nothing behind."""
    if chain.go_on is None:
        _jump(w, chain)
        return
    following, end = w.name("next"), w.name("last")
    w.branch(w.get(f"icmp eq {kind} {result}, {chain.go_on}"), following, end)
    w.start(following)
    _jump(w, chain)
    w.start(end)


def _jump(w: Writer, chain: Chain) -> None:
    w.helper(TAIL_CALL, f"ptr %ctx, ptr {w.map(chain.next)}, i64 0")
