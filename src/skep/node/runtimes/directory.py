"""Asks the runtimes of this machine who a container is. Answers at once from memory, else later.

Lives in the agent's event loop: ``ask`` is called there, ``run`` is a task of the agent and ends when
it is cancelled. A runtime that is absent, hangs or talks nonsense is noted (``faults``) and passed
over; each question has a time limit, and questions beyond the queue are dropped and counted.
"""

import asyncio
from collections.abc import Callable, Sequence

from skep.base.config import Runtimes
from skep.model.container import Container
from skep.node.runtimes.client import Client, NoAnswer
from skep.node.runtimes.cri import Cri
from skep.node.runtimes.docker import Docker
from skep.node.runtimes.memory import Memory
from skep.node.runtimes.podman import Podman

_FAMILIES = {
    "": ("cri", "docker", "podman"),
    "containerd": ("cri",),
    "cri-o": ("cri",),
    "docker": ("docker", "cri"),
    "podman": ("podman",),
}
_WORKERS = 4


def clients(config: Runtimes) -> list[Client]:
    """A client for each socket that the configuration names."""
    found: list[Client] = [Cri(socket) for socket in config.cri]
    found += [Docker(socket) for socket in config.docker]
    found += [Podman(socket) for socket in config.podman]
    return found


class Directory:
    """The containers of this machine, by id.

    ``answered`` is called with each new answer, ``unknown`` with an id that is given up for now.
    ``clock`` gives seconds; ``limit`` is how many a question may take.
    """

    def __init__(
        self,
        clients: Sequence[Client],
        answered: Callable[[Container], None],
        unknown: Callable[[str], None],
        *,
        clock: Callable[[], float],
        limit: float = 2.0,
        queue: int = 1_024,
        memory: Memory | None = None,
    ) -> None:
        self._clients = list(clients)
        self._answered, self._unknown = answered, unknown
        self._clock, self._limit = clock, limit
        self._memory = memory or Memory()
        self._queue: asyncio.Queue[tuple[str, str]] = asyncio.Queue(queue)
        self._asked: set[str] = set()
        self.faults: dict[str, str] = {}
        self.dropped = 0

    def ask(self, container: str, runtime: str = "") -> Container | None:
        """The answer if it is known; else None, and the question is put."""
        known = self._memory.known(container)
        if known is None and runtime in _FAMILIES and self._memory.due(container, self._clock()):
            self._put(container, runtime)
        return known

    async def run(self) -> None:
        """Put questions to the runtimes until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(_WORKERS):
                group.create_task(self._work())

    def _put(self, container: str, runtime: str) -> None:
        if container in self._asked:
            return
        try:
            self._queue.put_nowait((container, runtime))
        except asyncio.QueueFull:
            self.dropped += 1
            return
        self._asked.add(container)

    async def _work(self) -> None:
        while True:
            container, runtime = await self._queue.get()
            found = await self._inspect(container, runtime)
            self._asked.discard(container)
            if found is not None:
                self._memory.learned(found)
                self._answered(found)
                continue
            wait = self._memory.missed(container, self._clock())
            if wait is None:
                self._unknown(container)
            else:
                asyncio.get_running_loop().call_later(wait, self._put, container, runtime)

    async def _inspect(self, container: str, runtime: str) -> Container | None:
        for client in self._clients:
            if client.family not in _FAMILIES[runtime]:
                continue
            try:
                async with asyncio.timeout(self._limit):
                    found = await client.inspect(container)
            except NoAnswer as fault:
                self.faults[client.socket] = fault.reason
            except TimeoutError:
                self.faults[client.socket] = f"no answer within {self._limit:g} s"
            except Exception as error:  # noqa: BLE001 - it comes of what a runtime said: the others are asked on
                self.faults[client.socket] = f"an answer that is not understood: {error!r}"
            else:
                self.faults.pop(client.socket, None)
                if found is not None:
                    return found
        return None
