"""BTF of the running kernel, its index cached by the kernel's GNU build id; the CPU level.

``vmlinux()`` maps the kernel's blob and keeps no state: the caller holds the Btf. A cached index is
only numbers, and is checked (build id, size, checksum): one that does not fit is built anew, and a
cache that cannot be written is no error.
"""

import os
import struct
from mmap import ACCESS_READ, MAP_PRIVATE, PROT_READ, mmap

from skep.base.errors import Unsupported
from skep.btf import index as indexing
from skep.btf.reader import Btf, Buffer
from skep.kernel import commands
from skep.kernel.bpf import DOOR, Door

DIRECTORY = "/sys/kernel/btf"
BLOB = f"{DIRECTORY}/vmlinux"
NOTES = "/sys/kernel/notes"
_GNU_BUILD_ID = 3
_MAX_INDEX = 64 << 20

# r0 = 4; r0 s/= 2 (v4's signed division, offset 1); exit. Kernels before 6.6 refuse the offset.
SIGNED_DIVISION = bytes.fromhex("b700000004000000 3700010002000000 9500000000000000")


def build_id(notes: str = NOTES) -> str:
    """The GNU build id of the running kernel in hexadecimal; "" where the kernel has none."""
    try:
        with open(notes, "rb") as file:
            data = file.read()
    except OSError:
        return ""
    at = 0
    while at + 12 <= len(data):
        name_size, size, kind = struct.unpack_from("<III", data, at)
        name = at + 12
        body = name + -(-name_size // 4) * 4
        if kind == _GNU_BUILD_ID and data[name : name + name_size] == b"GNU\0":
            return data[body : body + size].hex()
        at = body + -(-size // 4) * 4
    return ""


def vmlinux(cache: str | None = None, *, blob: str = BLOB, notes: str = NOTES) -> Btf:
    """The types of the running kernel.

    ``cache`` is a directory for the index that only we may write; None: no index is kept. Unsupported
    where the kernel has no BTF (CONFIG_DEBUG_INFO_BTF, Linux 5.2).
    """
    data = _map(blob)
    identity = build_id(notes)
    if cache is None or not identity:
        return Btf(data)
    path = f"{cache}/btf-{identity[:40]}-{len(data)}.index"
    key = bytes.fromhex(identity)[:32]
    saved = _read_index(path, key)
    btf = Btf(data, index=saved)
    if saved is None:
        _write_index(path, indexing.dump(btf.index, key))
    return btf


def module(name: str, base: Btf, *, directory: str = DIRECTORY) -> Btf | None:
    """The types of a loaded module, on top of the kernel's; None where there are none."""
    try:
        with open(f"{directory}/{name}", "rb") as file:
            return Btf(file.read(), base)
    except OSError:
        return None


def cpu_level(door: Door = DOOR) -> str:
    """The instruction set to compile for: "v4" where the kernel takes it (6.6), else "v3"."""
    try:
        door.close(commands.load_smallest(door, SIGNED_DIVISION))
    except OSError:
        return "v3"
    return "v4"


def _map(blob: str) -> Buffer:
    """The blob, mapped where the kernel lets it (6.16), else read."""
    try:
        with open(blob, "rb") as file:
            try:
                size = os.fstat(file.fileno()).st_size
                return mmap(file.fileno(), size, MAP_PRIVATE, PROT_READ)
            except (OSError, ValueError):
                return file.read()
    except OSError as error:
        reason = f"{blob} cannot be read ({error.strerror})"
        raise Unsupported("BTF", reason, "5.2", "a kernel with CONFIG_DEBUG_INFO_BTF") from error


def _read_index(path: str, key: bytes) -> indexing.Index | None:
    """The saved index, used in place; None where it is missing, another's, a link or damaged."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = os.fstat(fd)
        foreign = status.st_uid != os.geteuid() or status.st_mode & 0o022
        if foreign or not 0 < status.st_size <= _MAX_INDEX:
            return None
        return indexing.load(memoryview(mmap(fd, status.st_size, access=ACCESS_READ)), key)
    except OSError:
        return None
    finally:
        os.close(fd)


def _write_index(path: str, data: bytes) -> None:
    """Whole or not at all. A full disk or a missing right leaves things as they were."""
    temporary = f"{path}.{os.getpid()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(temporary, flags, 0o600)
    except OSError:
        return
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
        os.rename(temporary, path)
    except OSError:
        os.unlink(temporary)
