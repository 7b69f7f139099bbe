"""What the datapath has beside the headers of ``skep.lang.library``: one kind of address for both families."""

from skep import Struct, Union, be16, u8, u32
from skep.lang.library.headers import Ethernet

ETHERNET = Ethernet.size
FRAGMENTED = 0x3FFF  # of ``IPv4.fragment``: more follow, or where this one belongs
MAPPED = 0xFFFF0000  # ::ffff:0:0/96, where IPv4 lies among IPv6: the third word, as a little-endian number


class Address(Union):
    """An address of either family, in network order; IPv4 is mapped into IPv6."""

    words: u32[4]
    bytes: u8[16]


class Ports(Struct):
    """What TCP and UDP begin with."""

    source: be16
    destination: be16
