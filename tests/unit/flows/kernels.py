"""Types of small kernels: the tracepoints and enumerations that flows asks for."""

from skep.btf.reader import Btf
from skep.btf.types import Param
from skep.btf.writer import Builder

REASONS = [
    ("SKB_NOT_DROPPED_YET", 0),
    ("SKB_CONSUMED", 1),
    ("SKB_DROP_REASON_NOT_SPECIFIED", 2),
    ("SKB_DROP_REASON_NO_SOCKET", 3),
]
SUBSYSTEMS = [
    ("SKB_DROP_REASON_SUBSYS_CORE", 0),
    ("SKB_DROP_REASON_SUBSYS_MAC80211_UNUSABLE", 1),
    ("SKB_DROP_REASON_SUBSYS_OPENVSWITCH", 3),
    ("SKB_DROP_REASON_SUBSYS_NUM", 4),
]


def kernel(arguments: int = 4, *, own: bool = False) -> Btf:
    """A kernel whose kfree_skb has so many arguments; ``own``: with the reasons of Open vSwitch."""
    make = Builder()
    number = make.integer("unsigned long", 8)
    params = [Param("", number)] * (1 + arguments)
    make.typedef("btf_trace_kfree_skb", make.ptr(make.prototype(0, params)))
    make.enum("skb_drop_reason", REASONS)
    make.enum("skb_drop_reason_subsys", SUBSYSTEMS)
    if own:
        make.enum("ovs_drop_reason", [("OVS_DROP_LAST_ACTION", 3 << 16 | 1)])
    return Btf(make.build())
