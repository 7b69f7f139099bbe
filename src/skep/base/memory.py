"""The C library's allocator, in processes that handle large pieces again and again. It has no state of ours."""


def keep_freed(largest: int) -> None:
    """Have it keep what pieces of up to ``largest`` bytes leave for the next ones; at most twice as much.

    glibc gives what is freed back to the kernel above a threshold, which it raises to the size of the
    largest piece that it saw come back (mallopt(3), M_MMAP_THRESHOLD). Fresh pages for each piece
    cost as much as the copies into them.
    """
    _ = bytes(largest)
