"""Memory for a dynptr: a reference to bytes whose number only the kernel knows, which it checks at each use.

A program makes one on its stack, ``packet = skep.Dynptr()``, and hands it to what fills it:
``skep.dynptr_from_mem(value, 0, packet)``, or a function of the kernel's.
"""

from skep.lang.struct import Struct
from skep.lang.types import u64


class Dynptr(Struct):
    """A dynptr on a program's stack; what is in it is the kernel's own. Linux 5.19."""

    opaque: u64[2]
