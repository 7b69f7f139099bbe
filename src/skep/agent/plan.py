"""What the agent tells a drain when it starts it: descriptors that it inherits, and bounds. A value, on its input.

Descriptors are numbers in the drain's own table. Nothing here is opened.
"""

import json
from dataclasses import asdict
from typing import Self

from skep.base.config import Processes
from skep.base.frozen import frozen


@frozen
class RingPlan:
    """A ring: its name, its descriptor and that of its state, its size in bytes.

    ``code`` is the file of the function that makes its columns, beginning at ``code_at``; -1 where numpy must do.
    """

    name: str
    ring: int
    state: int
    size: int
    code: int = -1
    code_at: int = 0


@frozen
class Plan:
    """Everything that a drain needs.

    ``memory`` and ``sender`` lead to the agent; ``lifeline`` reads as ended when the agent has ended or
    wants the drain to end. ``tasks`` is the link of the iterator over processes, -1 where /proc must do.
    Refs begin at ``first_ref``. ``users``: whether users are named. ``instance`` is the agent's.
    """

    rings: tuple[RingPlan, ...]
    memory: int
    sender: int
    lifeline: int
    tasks: int
    first_ref: int
    users: bool
    processes: Processes
    instance: str

    @property
    def descriptors(self) -> tuple[int, ...]:
        """All that is inherited."""
        rings = [fd for ring in self.rings for fd in (ring.ring, ring.state, ring.code) if fd >= 0]
        tasks = (self.tasks,) if self.tasks >= 0 else ()
        return (*rings, self.memory, self.sender, self.lifeline, *tasks)

    def to_json(self) -> bytes:
        """For the drain's standard input: a pipe holds it whole."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """The inverse of ``to_json``."""
        given = json.loads(text)
        given["rings"] = tuple(RingPlan(**ring) for ring in given["rings"])
        given["processes"] = Processes(**given["processes"])
        return cls(**given)
