"""Memory of a fake kernel and of its processes: strings and bytes by address; what is not there faults."""

from collections.abc import Callable
from typing import Any

EFAULT = -14


def _memory(view: Any) -> memoryview:  # noqa: ANN401 - a view of plain Python
    found: memoryview = getattr(view, "_memory", None) or view.memory
    return found


class Memory:
    """Bytes at addresses; ``helpers`` are the fakes that read them."""

    def __init__(self, **pieces: bytes) -> None:
        self.pieces = {int(name.removeprefix("at_"), 0): data for name, data in pieces.items()}

    def read(self, buffer: Any, *given: Any) -> int:  # noqa: ANN401 - a view of plain Python
        """``probe_read_*``: all that is asked for, or nothing."""
        memory = _memory(buffer)
        size, address = (len(memory), *given) if len(given) == 1 else given
        for start, data in self.pieces.items():
            offset = int(address) - start
            if 0 <= offset <= offset + int(size) <= len(data):
                memory[: int(size)] = data[offset : offset + int(size)]
                return 0
        return EFAULT

    def read_string(self, buffer: Any, address: Any) -> int:  # noqa: ANN401 - as above
        """``probe_read_*_str``: up to a NUL, which counts."""
        data = self.pieces.get(int(address))
        if data is None:
            return EFAULT
        memory = _memory(buffer)
        cut = data[: len(memory) - 1] + b"\0"
        memory[: len(cut)] = cut
        return len(cut)

    @property
    def helpers(self) -> dict[str, Callable[..., Any]]:
        """For a FakeKernel."""
        return {
            "probe_read_user": self.read,
            "probe_read_kernel": self.read,
            "probe_read_kernel_str": self.read_string,
        }
