"""How network devices take programs: XDP, of which a device has one, and tc, of which it has many.

What is fallen back to, the stack in place of the driver and a clsact filter in place of a tcx link, becomes a remark of
the link.
"""

import errno
from contextlib import suppress

from skep.base.errors import BadInput, Conflict, SkepError, Unsupported
from skep.kernel import commands
from skep.kernel.bpf import Door
from skep.kernel.clsact import PARENTS, ClsactLink, Spot
from skep.kernel.commands import Command
from skep.kernel.link import Link
from skep.kernel.namespaces import inside
from skep.kernel.netlink import Netlink
from skep.kernel.objects import program_info
from skep.kernel.place import Place, name_of
from skep.kernel.programs import Program
from skep.kernel.refusal import ABSENT, NETWORK, meaning, refusal

_XDP = 37  # enum bpf_attach_type
_NATIVE, _GENERIC = 1 << 2, 1 << 1  # XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE
_MODES = {"native": (_NATIVE,), "generic": (_GENERIC,), "": (_NATIVE, _GENERIC)}
_NO_DRIVER = (*ABSENT, errno.ERANGE)
_BEFORE, _LINK = 1 << 3, 1 << 13
_NOT_NETKIT = (errno.ENXIO, errno.EACCES)
"""What a device that is no netkit says, and the peer of one."""


def xdp(program: Program, place: Place, door: Door) -> Link:
    """In the driver where it can, else in the stack; a device has one XDP link."""

    def work() -> Link:
        index, name = device(place.target), name_of(program, place)
        first, *others = _MODES[_mode(place, tuple(_MODES))]
        try:
            fd = _xdp_link(program, index, first, door)
        except OSError as error:
            if error.errno not in _NO_DRIVER or first == _GENERIC:
                raise _xdp_refusal(error, name, index, door) from error
            if not others:
                reason = f"the device's driver refuses it: {_reason(error)}"
                instead = 'mode="generic", which is slower'
                raise Unsupported(f"native mode for {name}", reason, instead=instead) from error
            fd, remark = _xdp_generic(program, index, name, error, door)
            return Link((fd,), name, remarks=(remark,), door=door)
        return Link((fd,), name, door=door)

    return inside(place.netns, work, door=door)


def _mode(place: Place, known: tuple[str, ...]) -> str:
    if place.mode not in known:
        expected = f"give {', '.join(filter(None, known))}, or none for the better one"
        raise BadInput("mode", f"there is no mode {place.mode!r} here", expected)
    return place.mode


def _xdp_link(program: Program, index: int, flags: int, door: Door) -> int:
    return commands.link_create(door, program.fd, index, _XDP, flags=flags)


def _xdp_generic(
    program: Program, index: int, name: str, why: OSError, door: Door
) -> tuple[int, str]:
    remark = f"{name} runs in generic mode, slower, for the driver refuses it: {_reason(why)}"
    try:
        return _xdp_link(program, index, _GENERIC, door), remark
    except OSError as error:
        raise _xdp_refusal(error, name, index, door) from error


def _reason(why: OSError) -> str:
    """What the driver means; of packets longer than a page it knows no better word than a range."""
    if why.errno == errno.ERANGE:
        return "packets of its MTU need @skep.xdp(frags=True), or a smaller MTU [ERANGE]"
    return meaning(why.errno or 0)


def _xdp_refusal(error: OSError, name: str, index: int, door: Door) -> SkepError:
    """Says which program holds the device, where one does."""
    found = refusal(error, "BPF_LINK_CREATE", name, needs=NETWORK, exclusive=True, door=door)
    if isinstance(found, Conflict):
        with suppress(OSError), Netlink() as netlink:
            holder = next((d.xdp for d in netlink.devices() if d.ifindex == index), 0)
            if holder:
                who = f"XDP program {holder}{_called(holder, door)}"
                return Conflict(found.what, who, f"`skep prog {holder}` shows whose it is")
    return found


def _called(number: int, door: Door) -> str:
    """The name of a program in brackets, "" where it has none or may not be seen."""
    with suppress(OSError):
        fd = commands.by_id(door, Command.PROG_BY_ID, number)
        try:
            return f" ({program_info(door, fd).name})"
        finally:
            door.close(fd)
    return ""


def tcx(program: Program, place: Place, door: Door) -> Link | ClsactLink:
    """A tcx link (6.6), on older kernels a filter of a clsact qdisc; or a link of a netkit device (6.7)."""

    def work() -> Link | ClsactLink:
        index, name = device(place.target), name_of(program, place)
        kind = program.spec.kind.attach_type
        tc = kind in PARENTS
        if _mode(place, ("clsact", "") if tc else ("",)) == "clsact":
            spot = Spot(index, kind, place.netns, bool(place.before))
            return ClsactLink.create(program, spot, name, asked=True, door=door)
        flags, relative = _order(place)
        extra = commands.relative(relative)
        try:
            fd = commands.link_create(door, program.fd, index, kind, flags=flags, extra=extra)
        except OSError as error:
            if tc and error.errno in ABSENT and not isinstance(place.before, Link):
                spot = Spot(index, kind, place.netns, first=place.before)
                return ClsactLink.create(program, spot, name, door=door)
            found = refusal(error, "BPF_LINK_CREATE", name, needs=NETWORK, door=door)
            raise (found if tc else _no_netkit(error, place, found)) from error
        return Link((fd,), name, door=door)

    return inside(place.netns, work, door=door)


def _no_netkit(error: OSError, place: Place, found: SkepError) -> SkepError:
    """Why a device takes no program of a netkit pair, where it is none, or the kernel has none."""
    if error.errno in _NOT_NETKIT:
        problem = f"{place.target!r} is not the primary end of a netkit pair"
        return BadInput("device", problem, "make a pair: ip link add node0 type netkit")
    if error.errno in ABSENT:
        reason = "this kernel is built without CONFIG_NETKIT, or is older"
        return Unsupported("netkit", reason, "6.7", "tc, on a veth pair")
    return found


def _order(place: Place) -> tuple[int, int]:
    """Flags and relative descriptor of a place among tcx links."""
    if isinstance(place.before, Link):
        return _BEFORE | _LINK, place.before.fd
    return (_BEFORE if place.before else 0), 0


def device(target: str | int) -> int:
    """The index of a network device of the calling thread's namespace."""
    if isinstance(target, int):
        return target
    with Netlink() as netlink:
        devices = netlink.devices()
    found = next((one.ifindex for one in devices if one.name == target), 0)
    if not found:
        known = ", ".join(one.name for one in devices)
        raise BadInput("device", f"there is no network device {target!r}", f"there are {known}")
    return found
