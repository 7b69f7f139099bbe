"""The agent of a node: engine, API and metrics, wired together. It decides nothing.

`serve` runs from the moment at which programs are attached until the agent is told to stop: by a
signal, a client, or the end of its face. Everything is closed in order then; programs and links are
descriptors of this process alone, and end with it, however it ends.
"""

import asyncio
import signal
import time
from collections.abc import Callable, Sequence

from skep.agent import report
from skep.agent.engine import Engine
from skep.agent.face import Face, SocketFace
from skep.agent.metrics_port import MetricsPort
from skep.agent.node import AgentNode
from skep.agent.notify import Notifier
from skep.api import routes
from skep.api.routes import Object
from skep.api.server import Server
from skep.base.config import Config
from skep.base.errors import SkepError

WATCHDOG_SECONDS = 10.0


class Agent:
    """Serves an engine. ``load`` reads its configuration again, ``probe`` says what the kernel offers.

    ``warnings`` are those of the start, to be told with those that come.
    """

    def __init__(
        self,
        engine: Engine,
        instance: str,
        *,
        face: Face,
        notifier: Notifier,
        load: Callable[[], Config],
        probe: Callable[[], Object],
        warnings: Sequence[str] = (),
    ) -> None:
        self._engine, self._face, self._notifier = engine, face, notifier
        self._warnings = tuple(warnings)
        self._stopping, self._log = asyncio.Event(), engine.log
        self._failure: BaseException | None = None
        self._background: set[asyncio.Task[None]] = set()
        self.node = AgentNode(
            engine,
            instance,
            load=load,
            reloaded=self._reloaded,
            stop=self._stopping.set,
            probe=probe,
        )
        self._server = Server(routes.local(self.node))
        self.node.counts = self._server.counts
        self._port = MetricsPort(self.node)

    async def serve(self, socket_path: str, started: Callable[[], None]) -> None:
        """Run until told to stop; ``started`` is called when everything runs, before anybody is told.

        It is called again when another drain runs, for it may record what does.
        Raises what a part of the engine fails with.
        """
        self._engine.start(self._failed, started)
        try:
            self._listen_to_signals()
            await self._server.listen_unix(socket_path)
            await self._open_metrics()
            started()
            self._tell_start()
            self._face.ready()
            self._notifier.ready("the node is watched")
            await self._until_told()
        finally:
            self._log.info("it ends")
            self._notifier.stopping()
            await self._engine.stop()
            await self._port.close()
            await self._server.close()
        if self._failure is not None:
            raise self._failure

    def _failed(self, error: BaseException) -> None:
        self._failure = error
        self._stopping.set()

    def _tell_start(self) -> None:
        for text in report.start(self._engine.programs.outcomes):
            self._log.info(text)
        for text in self._warnings:
            self._log.warning(text)

    async def _until_told(self) -> None:
        while not self._stopping.is_set():
            self._notifier.alive()
            try:
                async with asyncio.timeout(WATCHDOG_SECONDS):
                    await self._stopping.wait()
            except TimeoutError:
                continue

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        if isinstance(self._face, SocketFace):
            loop.add_reader(self._face.socket, self._face_moved, self._face)

    def _face_moved(self, face: SocketFace) -> None:
        if not face.asked():
            asyncio.get_running_loop().remove_reader(face.socket)
            face.socket.close()
            self._stopping.set()

    def _reload(self) -> None:
        self._notifier.reloading(time.monotonic_ns() // 1000)
        try:
            self.node.reload()
        except SkepError as error:
            self._log.error(f"the configuration stays as it was: {error}")
        self._notifier.ready("the node is watched")

    def _reloaded(self, settings: Config) -> None:
        self._log.level = settings.log
        self._log.info("the configuration was read again")
        task = asyncio.ensure_future(self._open_metrics())
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _open_metrics(self) -> None:
        await self._port.open(self._engine.settings.metrics)
        self.node.metrics = self._port.state
        self.node.warnings = [w for w in (*self._warnings, self._port.warning) if w]
        if self._port.warning:
            self._log.warning(self._port.warning)
