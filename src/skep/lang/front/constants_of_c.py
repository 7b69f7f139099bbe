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
    "XDP_ABORTED": 0,
    "XDP_DROP": 1,
    "XDP_PASS": 2,
    "XDP_TX": 3,
    "XDP_REDIRECT": 4,
    "TC_ACT_UNSPEC": -1,
    "TC_ACT_OK": 0,
    "TC_ACT_SHOT": 2,
    "TC_ACT_REDIRECT": 7,
    "TCX_NEXT": -1,
    "TCX_PASS": 0,
    "TCX_DROP": 2,
    "TCX_REDIRECT": 7,
    "BPF_ANY": 0,
    "BPF_NOEXIST": 1,
    "BPF_EXIST": 2,
    "SK_DROP": 0,
    "SK_PASS": 1,
    "NF_DROP": 0,
    "NF_ACCEPT": 1,
}
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
    if name in ETHERNET:
        return f"from skep.lang.library.headers import EtherType, and EtherType.{ETHERNET[name]}"
    for module in MODULES:
        if name.isupper() and isinstance(getattr(module, name, None), int):
            return f"import {module.__name__}, and write {module.__name__}.{name}"
    return ""
