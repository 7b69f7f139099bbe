"""XDP on a device: a chain of programs behind the one link that a device has."""

from collections.abc import Sequence

from skep.base.errors import BadInput
from skep.kernel import links
from skep.kernel.links import AnyLink
from skep.kernel.programs import Program


class XdpHead:
    """The XDP link of one device, from the first program of its chain to the last. See ``chain.Head``."""

    jumps = 0

    def __init__(self, device: str | int, *, netns: str = "", mode: str = "") -> None:
        self.device, self.netns, self.mode = device, netns, mode
        self._link: AnyLink | None = None

    @property
    def what(self) -> str:
        """See Head."""
        return f"the XDP chain of {self.device}"

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was fallen back to."""
        return self._link.remarks if self._link is not None else ()

    def require(self, mode: str) -> None:
        """BadInput where the device's chain runs in another mode than the one that is asked for."""
        if mode and mode != self.mode:
            now = f"mode={self.mode!r}" if self.mode else "the better mode that works"
            problem = f"it was begun in {now}, not in {mode!r}"
            raise BadInput(self.what, problem, "all programs of a device are attached in one mode")

    def point(self, first: Program | None) -> None:
        """See Head. Conflict where a program of somebody else holds the device."""
        if first is None:
            self._close()
        elif self._link is None:
            self._link = links.attach(first, self.device, netns=self.netns, mode=self.mode)
        else:
            self._link.update(first)

    def settle(self, programs: Sequence[Program]) -> None:
        """See Head."""

    def _close(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None
