"""What this kernel offers, asked of it: each capability once, by the smallest thing that needs it.

A probe loads a program of two instructions, creates a map of one entry, or asks for a link to nothing,
and closes it again; nothing stays. No version is read: ``since`` only tells people where to look. The
rows are in ``probe_table``; this runs them and says why one is not on.
"""

import errno
import os
from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from skep.base.errors import Unsupported
from skep.btf.reader import Btf
from skep.kernel.bpf import DOOR, Door
from skep.kernel.probe_table import FEATURES, Feature
from skep.kernel.probe_tests import Kernel
from skep.kernel.refusal import lacks, meaning


class State(Enum):
    """Whether a capability can be used."""

    ON = "on"
    REFUSED = "refused"
    ABSENT = "absent"


class Probe(NamedTuple):
    """What the kernel answered for the capability ``name``; ``errno`` 0 where it is on.

    ``why`` is one clause for people; ``since`` the upstream release; ``instead`` what skep does then.
    """

    name: str
    state: State
    errno: int = 0
    why: str = ""
    since: str = ""
    instead: str = ""

    @property
    def on(self) -> bool:
        """Whether it can be used."""
        return self.state is State.ON

    def as_dict(self) -> dict[str, str]:
        """What is told of it, as JSON has it."""
        return {
            "name": self.name,
            "state": self.state.value,
            "since": self.since,
            "why": self.why,
            "instead": self.instead,
        }

    def require(self) -> None:
        """Raises Unsupported where it cannot be used."""
        if not self.on:
            raise Unsupported(self.name, self.why, self.since, self.instead)


def probe_all(
    btf: Btf | None = None, names: Iterable[str] | None = None, *, door: Door = DOOR
) -> dict[str, Probe]:
    """Probes by name, in the table's order; of ``names`` only, where given. ``btf``: the kernel's.

    KeyError where a name is none of the table.
    """
    kernel = Kernel(door, btf)
    chosen = FEATURES if names is None else {name: FEATURES[name] for name in names}
    return {name: _probe(name, feature, kernel) for name, feature in chosen.items()}


def probe(name: str, btf: Btf | None = None, *, door: Door = DOOR) -> Probe:
    """One probe."""
    return probe_all(btf, (name,), door=door)[name]


def _probe(name: str, feature: Feature, kernel: Kernel) -> Probe:
    try:
        feature.test(kernel)
    except OSError as error:
        state, why = _explain(error, kernel.door, feature)
        return Probe(name, state, error.errno or 0, why, feature.since, feature.instead)
    return Probe(name, State.ON, since=feature.since)


def _explain(error: OSError, door: Door, feature: Feature) -> tuple[State, str]:
    """EPERM and EACCES are a missing capability or the host's policy; all else is absence."""
    if error.errno not in (errno.EPERM, errno.EACCES):
        return State.ABSENT, _reason(error)
    missing = lacks(door, feature.needs)
    if missing:
        return State.REFUSED, f"it needs {missing}"
    return State.REFUSED, "a policy of this host refuses it"


def _reason(error: OSError) -> str:
    """What the test itself says, else what the errno means."""
    code = error.errno or 0
    said = error.strerror or ""
    return said if said and said != os.strerror(code) else meaning(code)
