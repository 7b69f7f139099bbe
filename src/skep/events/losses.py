"""What was lost, and where: exact counts as values. Every queue that can lose has one."""

from skep.base.frozen import frozen


@frozen
class LossCounter:
    """The account of the queue ``name``, in events: ``passed`` went through, ``lost`` did not."""

    name: str
    passed: int
    lost: int

    def since(self, earlier: "LossCounter") -> "LossCounter":
        """What came after ``earlier``, an account of the same queue."""
        return LossCounter(self.name, self.passed - earlier.passed, self.lost - earlier.lost)


@frozen
class RingAccount:
    """A ring's account, in records.

    ``attempts`` and ``refused`` are the kernel's counts (RingState ``seq`` and ``lost``);
    ``misses`` are runs that the kernel skipped because a program was already running on that CPU,
    of all programs that write to the ring; ``delivered``, ``discarded`` (by the program) and
    ``foreign`` (another size or an unknown kind) are the reader's.
    """

    name: str
    attempts: int = 0
    refused: int = 0
    misses: int = 0
    delivered: int = 0
    discarded: int = 0
    foreign: int = 0

    @property
    def pending(self) -> int:
        """Records in the ring or being written: what the other counts leave of the attempts."""
        return self.attempts - self.refused - self.delivered - self.discarded - self.foreign

    def losses(self) -> LossCounter:
        """Refused for want of room, skipped, or not understood."""
        return LossCounter(self.name, self.delivered, self.refused + self.misses + self.foreign)
