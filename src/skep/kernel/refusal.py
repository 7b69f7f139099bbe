"""From errno to an error of skep: which call on what was refused, and what the caller can do about it."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from skep.base.errors import Conflict, Forbidden, KernelError, SkepError, Unsupported
from skep.kernel.bpf import DOOR, Door

# Bits of the capability mask, from include/uapi/linux/capability.h.
CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21, "CAP_PERFMON": 38, "CAP_BPF": 39}

# CAP_SYS_ADMIN stands for the finer ones, which came out of it with Linux 5.8.
_ADMIN = "CAP_SYS_ADMIN"

# What a call on a hook needs.
NETWORK = ("CAP_BPF", "CAP_NET_ADMIN")
TRACING = ("CAP_BPF", "CAP_PERFMON")

ENOTSUPP = 524  # the kernel lets it out, though it is no errno of user space
ABSENT = (errno.EINVAL, errno.EOPNOTSUPP, ENOTSUPP)
"""What a kernel answers that does not know a hook or a command."""

_NAMES = {ENOTSUPP: "ENOTSUPP", errno.EOPNOTSUPP: "EOPNOTSUPP"}

_MEANINGS = {
    errno.EINVAL: "the kernel does not take these arguments",
    errno.EOPNOTSUPP: "this kernel is built without it",
    ENOTSUPP: "this object does not support it",
    errno.ENOSPC: "there is no room left",
    errno.E2BIG: "it does not fit",
    errno.ENOMEM: "there is no memory for it",
    errno.EBADF: "the object is closed or of another kind",
}

_POLICY = (
    "a policy of this host refuses it (EPERM with all privileges);"
    " `skep features` shows what it lets through"
)
_PROGRAM = ("another program", "`skep link` shows which")
_HOLDERS = {
    "BPF_OBJ_PIN": ("another pin", "remove that, or take another path"),
    "BPF_MAP_UPDATE_ELEM": ("another table of that name", ""),
    "RTM_NEWROUTE": ("another route", ""),
}
"""What holds a place that is exclusive, and what to do then; where a call is not named, another program does."""


def meaning(code: int) -> str:
    """What an errno says of a call on a kernel object, with its name."""
    name = _NAMES.get(code) or errno.errorcode.get(code, f"errno {code}")
    return f"{_MEANINGS.get(code) or os.strerror(code).lower()} [{name}]"


def lacks(door: Door, needs: tuple[str, ...]) -> str:
    """The first of the capabilities ``needs`` that this process does not have, "" where it has all."""
    mask = door.capabilities()
    if mask >> CAPABILITIES[_ADMIN] & 1:
        needs = tuple(name for name in needs if name == "CAP_NET_ADMIN")
    return next((name for name in needs if not mask >> CAPABILITIES[name] & 1), "")


def refusal(
    error: OSError,
    call: str,
    subject: str = "",
    *,
    needs: tuple[str, ...] = ("CAP_BPF",),
    exclusive: bool = False,
    detail: str = "",
    door: Door = DOOR,
) -> SkepError:
    """The error to raise ``from`` an OSError of ``call`` on ``subject``.

    EPERM is Forbidden where a capability of ``needs`` is missing, else Unsupported: a policy of the host, which is
    respected. EBUSY and EEXIST are a Conflict where the place is ``exclusive``. All else is a KernelError, with
    ``detail`` where the caller knows more than errno says.
    """
    code = error.errno or 0
    what = f"{call} of {subject}" if subject else call
    if code in (errno.EPERM, errno.EACCES):
        missing = lacks(door, needs)
        if missing:
            return Forbidden(what, missing)
        if code == errno.EPERM:
            return Unsupported(what, _POLICY)
    if exclusive and code in (errno.EBUSY, errno.EEXIST):
        return Conflict(subject or call, *_HOLDERS.get(call, _PROGRAM))
    return KernelError(what, code, meaning(code), detail)


@contextmanager
def refused(
    call: str,
    subject: str = "",
    *,
    needs: tuple[str, ...] = ("CAP_BPF",),
    exclusive: bool = False,
    door: Door = DOOR,
) -> Iterator[None]:
    """A block in which an OSError becomes the error of ``refusal``."""
    try:
        yield
    except OSError as error:
        raise refusal(error, call, subject, needs=needs, exclusive=exclusive, door=door) from error
