"""Who a container is, from whichever runtime knows it, when it answers, or never."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from skep.base.config import Runtimes
from skep.model.container import Container
from skep.node.runtimes.client import NoAnswer
from skep.node.runtimes.cri import Cri
from skep.node.runtimes.directory import Directory, clients
from skep.node.runtimes.docker import Docker
from skep.node.runtimes.memory import Memory
from skep.node.runtimes.podman import Podman
from skep.testing.runtimes import FakeCri, FakeDocker, container_status

A = "b2a102854b4969b2ce98dc329c86b4fb2b06e4ad2cc8da9d8a7578c9cd2004a2"
B = "05c48c82caff3be3d7f1e896981dd410e81487538936914f32b624d168de9db0"
WEB = {"Id": A, "Name": "/web", "Config": {"Image": "nginx"}}


class Bench:
    """A directory with a socket of each family; waits for what it says."""

    def __init__(self, tmp_path: Path, retries: tuple[float, ...] = (0.0, 0.0)) -> None:
        self.cri, self.docker, self.podman = FakeCri(), FakeDocker(), FakeDocker()
        self.paths = {name: str(tmp_path / name) for name in ("cri", "docker", "podman")}
        self.said: asyncio.Queue[Container | str] = asyncio.Queue()
        self.now = 0.0
        self.retries = retries
        self.queue = 16
        self.limit = 5.0
        self.directory: Directory

    def run(self, steps: Callable[["Bench"], Awaitable[None]], *served: str) -> None:
        async def main() -> None:
            self.directory = Directory(
                [
                    Cri(self.paths["cri"]),
                    Docker(self.paths["docker"]),
                    Podman(self.paths["podman"]),
                ],
                self.said.put_nowait,
                self.said.put_nowait,
                clock=lambda: self.now,
                limit=self.limit,
                queue=self.queue,
                memory=Memory(retries=self.retries),
            )
            async with AsyncExitStack() as stack:
                for name in served:
                    fake: FakeCri | FakeDocker = getattr(self, name)
                    await stack.enter_async_context(fake.at(self.paths[name]))
                task = asyncio.create_task(self.directory.run())
                try:
                    await steps(self)
                finally:
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)

        asyncio.run(main())


def test_an_answer_comes_later_and_is_known_from_then_on(tmp_path: Path) -> None:
    async def steps(bench: Bench) -> None:
        bench.docker.containers[A] = WEB
        assert bench.directory.ask(A, "docker") is None
        assert bench.directory.ask(A, "docker") is None
        found = await bench.said.get()
        assert isinstance(found, Container)
        assert found.name == "web"
        assert bench.directory.ask(A, "docker") is found
        assert bench.docker.asked == [f"/containers/{A}/json"]

    Bench(tmp_path).run(steps, "docker")


def test_where_the_path_names_no_runtime_each_is_asked(tmp_path: Path) -> None:
    async def steps(bench: Bench) -> None:
        bench.podman.containers[A] = WEB
        bench.directory.ask(A)
        found = await bench.said.get()
        assert isinstance(found, Container)
        assert found.runtime == "podman"
        assert [method for method, _ in bench.cri.asked][-2:] == [
            "ContainerStatus",
            "PodSandboxStatus",
        ]
        assert bench.docker.asked

    Bench(tmp_path).run(steps, "cri", "docker", "podman")


def test_a_named_runtime_is_asked_alone(tmp_path: Path) -> None:
    async def steps(bench: Bench) -> None:
        bench.cri.containers[A] = container_status(A, "web", "nginx")
        bench.directory.ask(A, "containerd")
        assert isinstance(await bench.said.get(), Container)
        bench.podman.containers[B] = WEB | {"Id": B}
        bench.directory.ask(B, "podman")
        assert isinstance(await bench.said.get(), Container)
        assert bench.docker.asked == []
        assert B not in [subject for _, subject in bench.cri.asked]

    Bench(tmp_path).run(steps, "cri", "docker", "podman")


def test_a_runtime_without_a_socket_is_not_asked(tmp_path: Path) -> None:
    async def steps(bench: Bench) -> None:
        assert bench.directory.ask("web1", "lxc") is None
        assert bench.directory._queue.empty()

    Bench(tmp_path).run(steps)


def test_a_container_is_asked_for_again_until_its_runtime_knows_it(tmp_path: Path) -> None:
    class Late(FakeDocker):
        def _answer(self, path: str) -> bytes:
            if len(self.asked) == 3:
                self.containers[A] = WEB
            return super()._answer(path)

    async def steps(bench: Bench) -> None:
        bench.directory.ask(A, "docker")
        found = await bench.said.get()
        assert isinstance(found, Container)
        assert len(bench.docker.asked) == 3

    bench = Bench(tmp_path)
    bench.docker = Late()
    bench.run(steps, "docker")


def test_a_container_that_ended_is_given_up_and_left_alone_for_a_while(tmp_path: Path) -> None:
    async def steps(bench: Bench) -> None:
        bench.directory.ask(A, "podman")
        assert await bench.said.get() == A
        assert len(bench.podman.asked) == 3
        bench.directory.ask(A, "podman")
        assert bench.directory._queue.empty()
        bench.now += 61
        bench.directory.ask(A, "podman")
        assert not bench.directory._queue.empty()

    Bench(tmp_path).run(steps, "podman")


def test_a_runtime_that_hangs_is_noted_and_the_next_is_asked(tmp_path: Path) -> None:
    async def steps(bench: Bench) -> None:
        bench.cri.hang = True
        bench.docker.containers[A] = WEB
        bench.directory.ask(A)
        assert isinstance(await bench.said.get(), Container)
        assert bench.directory.faults == {bench.paths["cri"]: "no answer within 0.05 s"}

    bench = Bench(tmp_path)
    bench.limit = 0.05
    bench.run(steps, "cri", "docker")


def test_absent_and_malformed_runtimes_are_noted_until_they_answer(tmp_path: Path) -> None:
    async def steps(bench: Bench) -> None:
        bench.docker.raw = b"nonsense\r\n\r\n"
        bench.directory.ask(A)
        assert await bench.said.get() == A
        faults = bench.directory.faults
        assert faults[bench.paths["cri"]] == "No such file or directory"
        assert faults[bench.paths["docker"]].startswith("malformed answer")
        bench.docker.raw = None
        bench.docker.containers[B] = WEB | {"Id": B}
        bench.directory.ask(B, "docker")
        assert isinstance(await bench.said.get(), Container)
        assert bench.paths["docker"] not in faults

    Bench(tmp_path, retries=()).run(steps, "docker", "podman")


class Faulty:
    """A client with a fault of ours."""

    family, socket = "docker", "/faulty"

    async def inspect(self, container: str) -> Container | None:
        raise LookupError(container[:3])


def test_a_fault_in_what_reads_an_answer_is_that_runtime_s_alone(tmp_path: Path) -> None:
    async def steps(bench: Bench) -> None:
        bench.docker.containers[A] = WEB
        bench.directory._clients.insert(0, Faulty())
        for _ in range(8):  # as often as there are workers, and more
            bench.directory.ask(A)
            assert isinstance(await bench.said.get(), Container)
            bench.directory._memory._answers.clear()
        why = "an answer that is not understood: LookupError('b2a')"
        assert bench.directory.faults["/faulty"] == why

    Bench(tmp_path).run(steps, "docker")


def test_questions_beyond_the_queue_are_counted_and_can_be_put_again(tmp_path: Path) -> None:
    async def steps(bench: Bench) -> None:
        for i in range(40):
            bench.directory.ask(f"{i:064x}", "docker")
        assert bench.directory.dropped == 24
        for _ in range(16):
            await bench.said.get()
        bench.directory.ask(f"{39:064x}", "docker")
        assert await bench.said.get() == f"{39:064x}"

    Bench(tmp_path, retries=()).run(steps, "docker")


def test_the_configuration_makes_the_clients() -> None:
    made = clients(Runtimes(cri=("/c",), docker=("/d",), podman=("/p",)))
    assert [(c.family, c.socket) for c in made] == [
        ("cri", "/c"),
        ("docker", "/d"),
        ("podman", "/p"),
    ]


def test_an_error_names_socket_and_reason() -> None:
    assert str(NoAnswer("/s", "why")) == "/s: why"
