"""What a face asks of the agent that it starts. A value, as JSON on the agent's command line."""

import json
import sys
from dataclasses import asdict
from typing import Self

from skep.base.errors import BadInput
from skep.base.frozen import frozen

MODULE = "skep.agent"


@frozen
class Order:
    """``instance`` and ``config`` as given, "" where not. ``only``: kinds of events, none for all.

    ``face`` is a descriptor: a socket on which progress is told, and with whose end the agent ends; -1
    where the agent stands alone, as a service does.
    """

    instance: str = ""
    config: str = ""
    only: tuple[str, ...] = ()
    face: int = -1

    def command(self) -> list[str]:
        """The command line of the agent. Python takes no module from the working directory."""
        text = json.dumps(asdict(self), separators=(",", ":"))
        return [sys.executable, "-P", "-m", MODULE, text]

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The inverse; raises BadInput."""
        try:
            given = json.loads(text)
            return cls(**given | {"only": tuple(given.get("only", ()))})
        except (ValueError, TypeError, AttributeError) as error:
            raise BadInput(
                "order", f"it is not understood: {error}", "start it by `skep agent`"
            ) from error
