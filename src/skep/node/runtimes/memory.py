"""What the runtimes have said of containers: answers, and ids that none knows. Bounded; pure.

An id that no runtime knows is asked for again a few times, soon: a container is in its cgroup before
its runtime tells of it. Then it is left alone for a minute: it is gone, or of a runtime without a
socket. Times are seconds of any clock that the caller holds to.
"""

from dataclasses import dataclass

from skep.model.container import Container

RETRIES = (0.1, 0.4, 1.5, 5.0)
REST = 60.0


@dataclass(slots=True)
class Miss:
    """How often an id was asked for in vain, and when it may be asked for again."""

    attempts: int
    due: float


class Memory:
    """Answers by id, and misses by id; the oldest of each go first."""

    def __init__(
        self,
        answers: int = 4_096,
        misses: int = 4_096,
        retries: tuple[float, ...] = RETRIES,
    ) -> None:
        self._most_answers, self._most_misses, self._retries = answers, misses, retries
        self._answers: dict[str, Container] = {}
        self._misses: dict[str, Miss] = {}

    def known(self, container: str) -> Container | None:
        """The answer for an id, None where there is none."""
        return self._answers.get(container)

    def due(self, container: str, now: float) -> bool:
        """Whether an id without an answer is to be asked for at ``now``."""
        miss = self._misses.get(container)
        return miss is None or now >= miss.due

    def learned(self, container: Container) -> None:
        """A runtime answered."""
        self._misses.pop(container.id, None)
        self._answers[container.id] = container
        if len(self._answers) > self._most_answers:
            del self._answers[next(iter(self._answers))]

    def missed(self, container: str, now: float) -> float | None:
        """No runtime knows an id: in how many seconds to ask again; None: it has been long enough."""
        miss = self._misses.pop(container, None) or Miss(0, now)
        rest = miss.attempts >= len(self._retries)
        wait = REST if rest else self._retries[miss.attempts]
        self._misses[container] = Miss(0 if rest else miss.attempts + 1, now + wait)
        if len(self._misses) > self._most_misses:
            del self._misses[next(iter(self._misses))]
        return None if rest else wait
