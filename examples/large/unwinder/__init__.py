"""An unwinder: whole stacks of user space for programs without frame pointers, walked in the kernel.

``table`` reads a file's ``.eh_frame``, ``layout`` cuts it into what the maps of ``state`` hold, ``unwinder`` puts it
there for the processes that are watched, and ``program`` walks. x86-64 only.

What it has not: code without ``.eh_frame`` (of JIT compilers, of Go) ends a walk, as does a frame address that is
counted from another register than rsp and rbp, which some assembly does for a few instructions.
"""
