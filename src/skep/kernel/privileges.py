"""What a process may do: its capabilities, and how it gives up those that it does not need.

All of it is of the calling thread, and of what that starts later: call it before there are other threads. What was
given up with ``confine`` does not come back: not by root's id, not by a program with privileges of its own.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from skep.base.frozen import frozen
from skep.kernel.bpf import PRIVILEGES, Privileges

# In the order of their bits, from include/uapi/linux/capability.h.
_WORDS = (
    "chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable "
    "net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio "
    "sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time "
    "sys_tty_config mknod lease audit_write audit_control setfcap mac_override mac_admin syslog "
    "wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore"
)
NAMES = tuple(f"CAP_{word.upper()}" for word in _WORDS.split())
SETPCAP = "CAP_SETPCAP"

# Options of prctl(2), from include/uapi/linux/prctl.h and securebits.h.
_CAPBSET_DROP, _SET_SECUREBITS, _SET_NO_NEW_PRIVS, _CAP_AMBIENT = 24, 28, 38, 47
_AMBIENT_RAISE, _AMBIENT_CLEAR_ALL = 2, 4
_NOROOT_LOCKED = 0b11


@frozen
class Held:
    """The capabilities of a thread as bit masks (capabilities(7)), and whether exec can give it no new ones."""

    effective: int
    permitted: int
    inheritable: int
    bounding: int
    ambient: int
    no_new_privileges: bool


def mask(names: Iterable[str]) -> int:
    """The bits of ``names``, such as CAP_BPF."""
    return sum(1 << NAMES.index(name) for name in names)


def names(bits: int) -> tuple[str, ...]:
    """The names of ``bits``; one that this release does not know is told by its number."""
    set_bits = (bit for bit in range(bits.bit_length()) if bits >> bit & 1)
    return tuple(NAMES[bit] if bit < len(NAMES) else f"CAP_{bit}" for bit in set_bits)


def held(pid: int | str = "thread-self", proc: str = "/proc") -> Held:
    """What process (or ``PID/task/TID``) ``pid`` holds; OSError where it has ended."""
    with open(f"{proc}/{pid}/status", encoding="utf-8", errors="replace") as file:
        lines = dict(line.split(":", 1) for line in file if ":" in line)
    effective, permitted, inheritable, bounding, ambient = (
        int(lines[f"Cap{name}"], 16) for name in ("Eff", "Prm", "Inh", "Bnd", "Amb")
    )
    gains_none = int(lines["NoNewPrivs"]) == 1
    return Held(effective, permitted, inheritable, bounding, ambient, gains_none)


def confine(
    keep: Sequence[str],
    passed: Sequence[str] = (),
    *,
    now: Held | None = None,
    door: Privileges = PRIVILEGES,
) -> str:
    """Give up all capabilities but ``keep``, for good. ``passed`` (of those) may go to children, by ``passing``.

    What was not held before is not held afterwards. "", or what of it could not be done: without CAP_SETPCAP
    children of root hold what this process holds.
    """
    now = now or held()
    kept = now.permitted & mask(keep)
    handed = kept & mask(passed)
    try:
        door.prctl(_SET_NO_NEW_PRIVS, 1)
        door.prctl(_CAP_AMBIENT, _AMBIENT_CLEAR_ALL)
        lacking = _bind_children(now, handed, door)
        door.capset(kept, kept, handed)
    except OSError as error:
        return f"some privileges stay: {error.strerror}"
    return lacking


def _bind_children(now: Held, handed: int, door: Privileges) -> str:
    """Let no program that is started gain anything but ``handed``, root's id or not."""
    if not now.effective & mask((SETPCAP,)):
        missing = f"children hold the same capabilities: {SETPCAP} is missing"
        return missing if now.bounding else ""
    door.capset(now.effective, now.permitted, handed)  # an empty bounding set lets none be added
    door.prctl(_SET_SECUREBITS, _NOROOT_LOCKED)
    for bit in range(now.bounding.bit_length()):
        if now.bounding >> bit & 1:
            door.prctl(_CAPBSET_DROP, bit)
    return ""


def rest(
    effective: Sequence[str], *, now: Held | None = None, door: Privileges = PRIVILEGES
) -> None:
    """Let only ``effective`` of the permitted ones be in force; ``raised`` brings others back for a time."""
    now = now or held()
    door.capset(now.permitted & mask(effective), now.permitted, now.inheritable)


@contextmanager
def raised(
    wanted: Sequence[str], *, now: Held | None = None, door: Privileges = PRIVILEGES
) -> Iterator[None]:
    """Have ``wanted`` in force for the time of the block, as far as they are permitted."""
    now = now or held()
    more = now.effective | now.permitted & mask(wanted)
    door.capset(more, now.permitted, now.inheritable)
    try:
        yield
    finally:
        door.capset(now.effective, now.permitted, now.inheritable)


@contextmanager
def passing(
    passed: Sequence[str], *, now: Held | None = None, door: Privileges = PRIVILEGES
) -> Iterator[None]:
    """Let programs that are started in the block hold ``passed``, as far as ``confine`` let them be passed."""
    now = now or held()
    possible = now.permitted & now.inheritable
    for bit in map(NAMES.index, passed):
        if possible >> bit & 1:
            door.prctl(_CAP_AMBIENT, _AMBIENT_RAISE, bit)
    try:
        yield
    finally:
        door.prctl(_CAP_AMBIENT, _AMBIENT_CLEAR_ALL)
