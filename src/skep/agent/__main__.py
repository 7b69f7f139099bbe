"""``python -m skep.agent ORDER``: the agent's process. Started by ``skep up`` and ``skep agent``."""

import os
import signal
import sys

from skep.agent import setup, title
from skep.agent.face import Face, NoFace, SocketFace
from skep.agent.order import Order
from skep.base import exits
from skep.base.errors import SkepError


def main() -> int:
    """Run the agent of the order in the first argument; its exit code."""
    # Before numpy is imported, here and in the drain: its linear algebra would start a thread for
    # each CPU, with a buffer each. putenv, because the C library is asked, by that library.
    os.putenv("OPENBLAS_NUM_THREADS", "1")
    # Until the loop takes signals: what the start has made is undone, as after any error.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    face: Face = NoFace()
    try:
        order = Order.from_json(sys.argv[1] if len(sys.argv) > 1 else "{}")
        title.call("skep-agent", f"skep: agent ({order.instance})")
        face = SocketFace(order.face) if order.face >= 0 else face
        setup.run(order, face)
    except SkepError as error:
        face.failed(error)
        if not isinstance(face, SocketFace):
            print(f"skep: {error}", file=sys.stderr)  # noqa: T201 - the service's log
        return exits.code(error)
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    return exits.DONE


if __name__ == "__main__":
    sys.exit(main())
