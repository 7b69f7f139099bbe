"""What happens to connections and packets: records of the rings ``connections`` and ``drops``.

All have 128 bytes. Values only: the programs beside this module fill them, the user half reads them
as batches.
"""

from errno import errorcode

from skep.events import kinds
from skep.events.record import Record
from skep.lang.forms import Address, Given, Hex, Hidden, Marks, Names
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
_FAMILY = Names(((2, "inet"), (10, "inet6")))
_ENDS = {
    "family": _FAMILY,
    "saddr": Given(Address("family")),
    "daddr": Address("family"),
    "sport": Given(),
}
_ERROR = Given(Names(tuple(sorted(errorcode.items()))))
_ETHERTYPES = Names(
    (
        (0x0800, "ipv4"),
        (0x0806, "arp"),
        (0x8100, "vlan"),
        (0x86DD, "ipv6"),
        (0x8847, "mpls"),
        (0x8863, "pppoe-discovery"),
        (0x8864, "pppoe"),
        (0x88A8, "vlan-ad"),
        (0x88CC, "lldp"),
    )
)
_PROTOCOLS = Names(
    (
        (1, "icmp"),
        (2, "igmp"),
        (4, "ipip"),
        (6, "tcp"),
        (17, "udp"),
        (41, "ipv6"),
        (47, "gre"),
        (50, "esp"),
        (51, "ah"),
        (58, "icmpv6"),
        (89, "ospf"),
        (132, "sctp"),
        (136, "udplite"),
    )
)


class Connect(
    Record,
    kind=kinds.CONNECT,
    size=128,
    forms={**_ENDS, "flags": _MARKS, "error": _ERROR},
):
    """A TCP connection that a process of this host opened is established, or could not be.

    flags: bit 0: which process is not known (pid 0; uid and cgroup are then the socket's); bit 1:
        it began before it was watched; bit 2: it failed
    pid: process (the kernel's tgid)
    uid: real user, in the initial user namespace
    cgroup: id (inode) in the unified hierarchy
    family: 2 (IPv4) or 10 (IPv6)
    sport: local port, in host order; 0 where there was none to be had
    dport: remote port, in host order
    error: errno with which it failed; 0 where the process itself gave up
    saddr: local address; IPv4 in the first 4 bytes; 0 where an attempt failed before it had one
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


class Accept(Connect, kind=kinds.ACCEPT, size=128):
    """A process of this host accepted a TCP connection; fields as of Connect."""


class Close(
    Connect,
    kind=kinds.CLOSE,
    size=128,
    forms={"duration_ns": Given(), "srtt_us": Given()},
):
    """A TCP connection ended; the first fields are those of Connect.

    error: errno that ended it, such as ECONNRESET; 0 where both sides closed it
    sent_bytes: payload that the peer acknowledged [bytes]
    received_bytes: payload that came in, in order [bytes]
    duration_ns: from established to closed; 0 where the start is not known [ns]
    srtt_us: smoothed round-trip time [us]
    retransmits: segments that were sent again
    """

    sent_bytes: u64
    received_bytes: u64
    duration_ns: u64
    srtt_us: u32
    retransmits: u32


class Drop(
    Record,
    kind=kinds.DROP,
    size=128,
    forms={
        "ethertype": _ETHERTYPES,
        "family": Given(_FAMILY),
        "location": Hex(),
        "ifindex": Given(),
        "netns": Given(),
        "saddr": Given(Address("family"), by="family"),
        "daddr": Given(Address("family"), by="family"),
        "sport": Given(),
        "dport": Given(),
        "protocol": Given(_PROTOCOLS, by="family"),
        "cgroup": Hidden(),
    },
):
    """The kernel dropped a packet.

    reason: number of enum skb_drop_reason of the running kernel
    ethertype: of the packet, in host order
    family: 2 (IPv4), 10 (IPv6), or 0 where the packet is neither
    location: where in the kernel
    ifindex: device, in its own namespace; 0 where there is none
    netns: inode of the network namespace
    saddr: source address; IPv4 in the first 4 bytes
    daddr: destination address; IPv4 in the first 4 bytes
    sport: source port, in host order
    dport: destination port, in host order
    protocol: that of IP, its number
    length: of the packet [bytes]
    cgroup: id (inode) of the cgroup of the socket that it was for or from; 0 where none is known
    """

    reason: u32
    ethertype: u16
    family: u16
    location: u64
    ifindex: u32
    netns: u32
    saddr: u8[16]
    daddr: u8[16]
    sport: u16
    dport: u16
    protocol: u8
    length: u32
    cgroup: u64
