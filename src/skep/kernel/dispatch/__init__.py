"""Hooks that are exclusive or hot, each with one owner for all programs that want it.

A device has one XDP program, and a hook on all system calls is paid by every call of the machine. ``plan`` chooses, as
values; ``chain`` puts programs behind one another; ``xdp`` and ``syscalls`` are the two hooks; ``owner`` joins them.
"""
