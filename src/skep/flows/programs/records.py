"""What happens to connections and packets: records of the rings ``connections`` and ``drops``.

All have 128 bytes. Values only: the programs beside this module fill them, the user half reads them
as batches.
"""

from errno import errorcode

from skep.events.forms import Address, Hex, Hidden, Marks, Names
from skep.events.record import Record
from skep.lang.types import char, u8, u16, u32, u64

PROCESS_UNKNOWN = 1 << 0
START_UNKNOWN = 1 << 1
FAILED = 1 << 2

_MARKS = Marks(
    (
        (PROCESS_UNKNOWN, "process_unknown"),
        (START_UNKNOWN, "start_unknown"),
        (FAILED, "failed"),
    )
)
_ERRORS = Names(((0, ""), *sorted(errorcode.items())))
_ADDRESSES = {"saddr": Address("family"), "daddr": Address("family")}


class Connect(
    Record,
    kind="connect",
    size=128,
    forms={**_ADDRESSES, "flags": _MARKS, "error": _ERRORS},
):
    """A TCP connection that a process of this host opened is established, or could not be.

    flags: bit 0: which process is not known (pid 0; uid and cgroup are then the socket's); bit 1:
        it began before it was watched; bit 2: it failed
    pid: process (the kernel's tgid)
    uid: real user, in the initial user namespace
    cgroup: id (inode) in the unified hierarchy
    family: 2 (IPv4) or 10 (IPv6)
    sport: local port, in host order
    dport: remote port, in host order
    error: errno with which it failed; 0 where the process itself gave up
    saddr: local address; IPv4 in the first 4 bytes
    daddr: remote address; IPv4 in the first 4 bytes
    comm: name of the thread group leader
    """

    pid: u32
    uid: u32
    cgroup: u64
    family: u16
    sport: u16
    dport: u16
    error: u16
    saddr: u8[16]
    daddr: u8[16]
    comm: char[16]


class Accept(Connect, kind="accept", size=128):
    """A process of this host accepted a TCP connection; fields as of Connect."""


class Close(Connect, kind="close", size=128):
    """A TCP connection ended; the first fields are those of Connect.

    error: errno that ended it, such as ECONNRESET; 0 where both sides closed it
    sent: payload that the peer acknowledged [bytes]
    received: payload that came in, in order [bytes]
    duration: from established to closed; 0 where the start is not known [ns]
    srtt: smoothed round-trip time [us]
    retransmits: segments that were sent again
    """

    sent: u64
    received: u64
    duration: u64
    srtt: u32
    retransmits: u32


class Drop(
    Record,
    kind="drop",
    size=128,
    forms={**_ADDRESSES, "location": Hex(), "cgroup": Hidden()},
):
    """The kernel dropped a packet.

    reason: number of enum skb_drop_reason of the running kernel
    protocol: ethertype, in host order
    family: 2 (IPv4), 10 (IPv6), or 0 where the packet is neither
    location: where in the kernel
    ifindex: device, in its own namespace; 0 where there is none
    netns: inode of the network namespace
    saddr: source address; IPv4 in the first 4 bytes
    daddr: destination address; IPv4 in the first 4 bytes
    sport: source port, in host order
    dport: destination port, in host order
    l4: IP protocol number
    length: of the packet [bytes]
    cgroup: id (inode) of the cgroup of the socket that it was for or from; 0 where none is known
    """

    reason: u32
    protocol: u16
    family: u16
    location: u64
    ifindex: u32
    netns: u32
    saddr: u8[16]
    daddr: u8[16]
    sport: u16
    dport: u16
    l4: u8
    length: u32
    cgroup: u64
