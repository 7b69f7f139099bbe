"""Paths: the names on the way from a file up to the root, for programs that are given a ``struct path``.

The kernel keeps no path as text: each directory knows its name and what it lies in, each mount where it is mounted.
``d_path()`` makes the text, and few kinds of programs may call it; ``put_names`` goes the same way in all of them.
"""

from typing import Any

from skep.lang.helpers import HELPERS
from skep.lang.kernel_names import kernel_struct
from skep.lang.struct import Struct
from skep.lang.types import char, u32, u64

_read_text = HELPERS["probe_read_kernel_str"]
DENTRY, MOUNT = kernel_struct("dentry"), kernel_struct("mount")
DEPTH, STEPS = 16, 24


class Name(Struct):
    """One name; what is longer is cut."""

    text: char[64]


class Names(Struct):
    """Names from the file's own on upwards, 1032 bytes: too large for the stack, a value of a map holds them.

    ``cut``: there are more above, or the way up was not followed to its end.
    """

    count: u32
    cut: u32
    names: Name[DEPTH]  # type: ignore[type-arg, valid-type] # an array to us, not a generic


def put_names(names: Any, path: Any) -> None:
    """Put the names of a ``struct path`` into a Names, across mounts. The root has none, nor have pipes and sockets.

    The way ends at the root of the mount namespace, though a process that was put elsewhere by chroot(2) sees less.
    """
    dentry = DENTRY(u64(path.dentry))
    inner = u64(path.mnt)
    mount = MOUNT(inner - (u64(MOUNT(inner).mnt) - inner))
    names.count = 0
    names.cut = 1
    for _ in range(STEPS):
        if u64(dentry) == u64(mount.mnt.mnt_root) or u64(dentry) == u64(dentry.d_parent):
            above = mount.mnt_parent
            if u64(above) == u64(mount):
                names.cut = 0
                break
            dentry = mount.mnt_mountpoint
            mount = above
            continue
        if names.count >= DEPTH:
            break
        _read_text(names.names[names.count & (DEPTH - 1)].text, dentry.d_name.name)
        names.count += 1
        dentry = dentry.d_parent


def text(names: Names) -> str:
    """The path that names stand for, in Python: from the root on, from "..." where it is cut."""
    every: Any = names.names  # an array to us, as above
    found = [one.text for one in every[: names.count]]
    return "/".join(["..." if names.cut else "", *reversed(found)]) or "/"
