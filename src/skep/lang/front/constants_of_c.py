"""Names that the kernel's headers give to numbers: what to write for one that a program uses without defining it."""

import errno
import os
import signal
import socket
import stat
from types import ModuleType

MODULES: tuple[ModuleType, ...] = (socket, errno, signal, stat, os)
"""Python's modules that have names of the kernel's interface."""
NUMBERS = {
    "BPF_ANY": 0,
    "BPF_NOEXIST": 1,
    "BPF_EXIST": 2,
    "SK_DROP": 0,
    "SK_PASS": 1,
    "NF_DROP": 0,
    "NF_ACCEPT": 1,
}
VERDICTS = {
    "XDP_ABORTED": "Xdp.ABORTED",
    "XDP_DROP": "Xdp.DROP",
    "XDP_PASS": "Xdp.PASS",
    "XDP_TX": "Xdp.TX",
    "XDP_REDIRECT": "Xdp.REDIRECT",
    "TC_ACT_UNSPEC": "Tc.NEXT",
    "TC_ACT_OK": "Tc.PASS",
    "TC_ACT_SHOT": "Tc.DROP",
    "TC_ACT_REDIRECT": "Tc.REDIRECT",
    "TCX_NEXT": "Tc.NEXT",
    "TCX_PASS": "Tc.PASS",
    "TCX_DROP": "Tc.DROP",
    "TCX_REDIRECT": "Tc.REDIRECT",
}
"""By the names of the library of verdicts."""
ETHERNET = {
    "ETH_P_IP": "IPV4",
    "ETH_P_IPV6": "IPV6",
    "ETH_P_ARP": "ARP",
    "ETH_P_8021Q": "VLAN",
}
"""By the names of EtherType in the library of headers."""


def constant_of_c(name: str) -> str:
    """What to write for a number by its name in C; "" where none is known."""
    if name in NUMBERS:
        return f"write {NUMBERS[name]}, or name it outside: {name} = {NUMBERS[name]}"
    if name in VERDICTS:
        kind = VERDICTS[name].partition(".")[0]
        return f"from skep.lang.library.verdicts import {kind}, and {VERDICTS[name]}"
    if name in ETHERNET:
        return f"from skep.lang.library.headers import EtherType, and EtherType.{ETHERNET[name]}"
    for module in MODULES:
        if name.isupper() and isinstance(getattr(module, name, None), int):
            return f"import {module.__name__}, and write {module.__name__}.{name}"
    return ""
