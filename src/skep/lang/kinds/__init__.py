"""The table of program kinds: a kind is one row. Numbers are those of the kernel's include/uapi/linux/bpf.h.

What a context shows and lets be written was asked of kernels, field by field; a test asks again.
"""

from skep.lang.kinds.cgroups import CGROUPS
from skep.lang.kinds.network import NETWORK
from skep.lang.kinds.tracing import TRACING
from skep.lang.spec import ProgramKind

KINDS: dict[str, ProgramKind] = {kind.name: kind for kind in (*TRACING, *NETWORK, *CGROUPS)}
