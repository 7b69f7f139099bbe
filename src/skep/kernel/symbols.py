"""Names of addresses in the kernel: few of them, so the kernel's list is read when one is asked for.

The list (``/proc/kallsyms``, some 5 MB) is read in blocks and never held; answers are, up to a number.
A pass takes some 60 ms of CPU: who has several addresses asks for them at once, with ``learn``, ``callers`` or
``stacks``.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import dropwhile
from operator import itemgetter
from typing import NamedTuple

KALLSYMS = "/proc/kallsyms"
_BLOCK = 1 << 18
_FARTHEST = 1 << 20
_TEXT = b"tTwW"
_address = itemgetter(slice(16))
ENTRANCES = (
    "bpf_prog_",
    "bpf_trace_run",
    "bpf_trampoline_",
    "__bpf_trace_",
    "__traceiter_",
    "perf_trace_",
    "trace_call_bpf",
)
"""How the functions begin through which the kernel comes from a tracepoint to a program, as it appears in its stack."""


class _Place(NamedTuple):
    """Where an address lies: the name of the function, how far in it, and its module, with a space before."""

    function: str
    offset: int
    module: str

    def text(self, further: int = 0) -> str:
        """``"function+0x91"``, and the module, of an address ``further`` on."""
        return f"{self.function}+{self.offset + further:#x}{self.module}"


class Symbols:
    """``symbols.name(0xffff...)`` is ``"tcp_v4_rcv+0x91"``, or the address where none is known.

    An address to which a call returns, as those of stacks and of what tracepoints call a location, may be behind the
    end of the function that made the call: ``caller`` names that. At most ``most`` names are remembered.
    """

    def __init__(self, path: str = KALLSYMS, most: int = 4096) -> None:
        self._path, self._most = path, most
        self._places: dict[int, _Place | None] = {}

    def name(self, address: int) -> str:
        """The function and the offset in it, with its module where it is in one."""
        place = self._place(address)
        return place.text() if place else f"{address:#x}"

    def caller(self, address: int) -> str:
        """The function that made the call which returns to ``address``, and how far in it that is."""
        place = self._place(address - 1)
        return place.text(1) if place else f"{address:#x}"

    def callers(self, addresses: Iterable[int]) -> list[str]:
        """The same of many, which is as dear as of one."""
        found = list(addresses)
        self.learn(address - 1 for address in found)
        return [self.caller(address) for address in found]

    def stacks(self, stacks: Iterable[Iterable[int]]) -> list[list[str]]:
        """The functions of each stack, innermost first, as a StackTraces map has it: zeros are no frames.

        The program itself, and how the kernel came to it from a tracepoint, are left out.
        """
        found = [_frames(stack) for stack in stacks]
        self.learn(address for stack in found for address in stack)
        named = [[self.name(address).partition("+")[0] for address in stack] for stack in found]
        return [list(dropwhile(lambda name: name.startswith(ENTRANCES), one)) for one in named]

    def learn(self, addresses: Iterable[int]) -> None:
        """Read the list once for all addresses that are not known yet."""
        asked = set(addresses)
        wanted = sorted(asked.difference(self._places))
        if not wanted:
            return
        if len(self._places) + len(wanted) > self._most:
            self._places.clear()
            wanted = sorted(asked)
        found = _nearest(self._path, wanted)
        for address in wanted:
            self._places[address] = _placed(address, found.get(address, b""))

    def _place(self, address: int) -> _Place | None:
        if address not in self._places:
            self.learn((address,))
        return self._places[address]


def _frames(stack: Iterable[int]) -> list[int]:
    """The frames of a stack as places in the functions that made the calls; the innermost is where it stands."""
    return [address - (number > 0) for number, address in enumerate(filter(None, stack))]


def _nearest(path: str, wanted: list[int]) -> dict[int, bytes]:
    """For each address the line of the function that begins nearest before it."""
    best: dict[int, bytes] = {}
    keys = [(address, b"%016x" % address) for address in wanted]
    for lines in blocks(path):
        lines.sort(key=_address)
        for address, key in keys:
            line = _before(lines, key)
            if line[:16] > best.get(address, b"")[:16]:
                best[address] = line
    return best


def _before(lines: list[bytes], key: bytes) -> bytes:
    """The last function at or before ``key``, of several at one place the first."""
    at, found = bisect_right(lines, key, key=_address), b""
    while at and (not found or lines[at - 1][:16] == found[:16]):
        at -= 1
        if lines[at][17:18] in _TEXT:
            found = lines[at]
    return found


def blocks(path: str) -> Iterator[list[bytes]]:
    """The lines of a file, many at a time; none where it cannot be read."""
    try:
        with open(path, "rb", buffering=_BLOCK) as file:
            while lines := file.readlines(_BLOCK):
                yield lines
    except OSError:
        return


def _placed(address: int, line: bytes) -> _Place | None:
    fields = line.decode("ascii", "replace").split()
    begin = int(fields[0], 16) if len(fields) >= 3 else 0
    if not begin or address - begin > _FARTHEST:
        return None
    return _Place(fields[2], address - begin, "".join(f" {module}" for module in fields[3:4]))
