"""The types of loaded modules, as the kernel holds them: what programs on their functions are loaded with.

A descriptor belongs to who asked for it. Source: struct bpf_btf_info in include/uapi/linux/bpf.h.
"""

import hashlib
import os
import struct
from contextlib import ExitStack, suppress

from skep.base.errors import Unsupported
from skep.btf.reader import Btf
from skep.btf.types import Kind
from skep.kernel import commands
from skep.kernel.bpf import Door, address
from skep.kernel.commands import Command
from skep.kernel.vmlinux import DIRECTORY, module

_ABOUT = struct.Struct("<QIIQII")
_NAME = 64
OWN = "vmlinux"


def digest(name: str, *, directory: str = DIRECTORY) -> str:
    """What tells the types of one build of a module from those of another; "" where it is not loaded."""
    try:
        with open(f"{directory}/{name}", "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return ""


def holding(function: str, base: Btf, *, directory: str = DIRECTORY) -> list[str]:
    """The loaded modules that have a function of that name; it reads the types of all."""
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return []
    loaded = ((name, module(name, base, directory=directory)) for name in names if name != OWN)
    return [name for name, types in loaded if types and types.find_own(Kind.FUNC, function)]


def opened(name: str, door: Door) -> int:
    """A descriptor of the types of a loaded module. Unsupported where there is none; it needs CAP_SYS_ADMIN."""
    number = 0
    with suppress(FileNotFoundError):  # behind the last
        while True:
            number = commands.next_id(door, Command.BTF_NEXT_ID, number)
            with suppress(FileNotFoundError), ExitStack() as undo:  # it went meanwhile
                fd = commands.by_id(door, Command.BTF_BY_ID, number)
                undo.callback(door.close, fd)
                if _name(fd, door) == name:
                    undo.pop_all()
                    return fd
    raise unloaded(name)


def name(number: int, door: Door) -> str:
    """The module whose types have that id; "" where they are a program's. OSError where they are gone or not shown."""
    fd = commands.by_id(door, Command.BTF_BY_ID, number)
    try:
        return _name(fd, door)
    finally:
        door.close(fd)


def numbered(symbol: str, kind: Kind, btf: Btf | None) -> tuple[str, int | None]:
    """The module and the number of a type by its name, which may be ``module:name``; None where there is no such type.

    The module is "" where the type is the kernel's own. Unsupported where it is in a module that is not loaded.
    """
    owner, _, name = symbol.rpartition(":")
    types = module(owner, btf) if owner and btf else None
    own = types.find_own(kind, name) if types else None
    if own is not None:
        return owner, own
    number = btf.find(kind, name) if btf else None
    if number is None and owner and types is None:
        raise unloaded(owner)
    return "", number


def unloaded(name: str) -> Unsupported:
    """The error for a module that is not there."""
    return Unsupported(
        f"the types of module {name}", "it is not loaded here", instead=f"modprobe {name}, before"
    )


def _name(fd: int, door: Door) -> str:
    """The name of types that are of the kernel's own; "" of a program's."""
    text, about = bytearray(_NAME), bytearray(_ABOUT.size)
    _ABOUT.pack_into(about, 0, 0, 0, 0, address(text), len(text), 0)
    commands.info_into(door, fd, about)
    of_kernel = _ABOUT.unpack(about)[-1]
    return text.split(b"\0", 1)[0].decode("utf-8", "replace") if of_kernel else ""
