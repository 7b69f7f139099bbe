"""A function in the machine's own code, called where it is mapped: the file of an entry of the cache.

The pages are mapped to be read and executed and were never to be written, which a process may do that is denied to make
code of data (MemoryDenyWriteExecute of systemd). Who opened the file has checked whose it is (``skep.lang.cache``).
"""

import os

from skep.kernel.bpf import Code
from skep.lang.native import CODE_AT, SIGNATURE


class Function:
    """The function that begins at ``at`` in the file ``fd``, which may be closed then. It takes an address.

    OSError where the system does not let the file be executed: its disk is mounted so, or a policy is. ``signature`` is
    that of its text (``skep.lang.native``).
    """

    def __init__(self, fd: int, at: int) -> None:
        self.signature = os.pread(fd, SIGNATURE, at)
        self._code = Code(fd, at + CODE_AT, os.fstat(fd).st_size)

    def __call__(self, address: int) -> int:
        """Call it; its 64-bit result. The caller answers for what is at ``address``."""
        return self._code(address)
