"""``python -m skep.agent ORDER``: the agent's process. Started by ``skep up`` and ``skep agent``."""

import os
import signal
import sys

from skep.agent import setup, title
from skep.agent.face import Face, NoFace, SocketFace
from skep.agent.order import Order
from skep.base import exits
from skep.base.errors import SkepError


class Told:
    """Takes signals to end until the loop does: what the start has made is undone, as after any error.

    ``come`` says whether there was one, for code of others may turn that into an error of its own.
    """

    def __init__(self) -> None:
        self.come = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._take)

    def _take(self, *_: object) -> None:
        self.come = True
        # After a KeyboardInterrupt in code that is compiled at run time, as dataclasses are, Python would kill
        # itself by that signal at its end, though the interrupt was handled.
        raise SystemExit(exits.DONE)


def main() -> int:
    """Run the agent of the order in the first argument; its exit code."""
    # Before numpy is imported, here and in the drain: its linear algebra would start a thread for
    # each CPU, with a buffer each. putenv, because the C library is asked, by that library.
    os.putenv("OPENBLAS_NUM_THREADS", "1")
    told = Told()
    face: Face = NoFace()
    try:
        order = Order.from_json(sys.argv[1] if len(sys.argv) > 1 else "{}")
        title.call("skep-agent", f"skep: agent ({order.instance})")
        face = SocketFace(order.face) if order.face >= 0 else face
        setup.run(order, face)
    except Exception as error:  # noqa: BLE001 - raised again where none was told to end
        if not told.come:
            return _failed(error, face)
    return exits.DONE


def _failed(error: Exception, face: Face) -> int:
    """Tell of ``error``; its exit code. Raises what is a fault of ours."""
    if not isinstance(error, SkepError):
        raise error
    face.failed(error)
    if not isinstance(face, SocketFace):
        print(f"skep: {error}", file=sys.stderr)  # noqa: T201 - the service's log
    return exits.code(error)


if __name__ == "__main__":
    sys.exit(main())
