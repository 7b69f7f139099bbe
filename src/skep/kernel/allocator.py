"""The C library's allocator, in a process that lives for long. No state of ours; ``base.memory`` does the opposite."""

from skep.kernel import bpf

_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of malloc.h


def map_each(size: int) -> bool:
    """Have a piece of ``size`` bytes or more not make the heap grow: it is a mapping of its own, gone with it.

    Left to itself glibc raises the size to that of the largest piece that came back, up to 32 MiB, and takes all
    smaller ones from its heap: there, pieces of many sizes that are kept for different times leave gaps between
    them. False where the C library has no such option.
    """
    return bpf.allocator("mallopt", _MMAP_THRESHOLD, size)


def give_back() -> bool:
    """Give the whole pages of the heap's gaps back to the kernel; whether there were some."""
    return bpf.allocator("malloc_trim", 0)
