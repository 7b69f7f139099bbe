"""Debian's kernels as a virtual machine and the compiler need them.

From unpacked packages come, once per version, the uncompressed ELF image (which QEMU starts without a
boot loader and without decompressing anything under emulation), its BTF, and modules as plain files. They lie beside
them, in ``made/``, and go with them. Of older kernels there is one package, with an image in ``boot/``; of Linux 7.3
several, with the image beside the modules.
"""

import lzma
import re
import shutil
import struct
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tools import debian

SERIES = ("6.1", "6.12")
NEWEST = debian.NEWEST
ALL = (*SERIES, NEWEST)
XZ, ZSTD = b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"
BUILD_ID_NOTE = 3


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel that can be started: ``release`` is what uname says there, ``build_id`` is in hexadecimal.

    ``series`` is as what it was asked for: NEWEST is one that changes.
    """

    series: str
    release: str
    version: str
    image: Path
    btf: Path
    config: Path
    modules: Path
    build_id: str


def kernel(series: str, cache: Path = debian.CACHE) -> Kernel:
    """The newest kernel of a series ("6.1"), or of all (NEWEST). Raises debian.Unavailable."""
    folder = debian.fetch([f"linux-{series}"], cache=cache)[0]
    found = (path for above in ("", "usr/") for path in folder.glob(f"{above}lib/modules/*"))
    modules = next(path for path in found if path.is_dir())
    release = modules.name
    old = folder / "boot" / f"vmlinuz-{release}"
    packed, config = modules / "vmlinuz", modules / "config"
    if old.exists():
        packed, config = old, folder / "boot" / f"config-{release}"
    made = folder / "made"
    if not made.exists():
        _make(packed, made, cache)
    return Kernel(
        series,
        release,
        next(iter(debian.versions(folder).values()), ""),
        made / "vmlinux",
        made / "btf",
        config,
        modules,
        (made / "build-id").read_text(),
    )


def _make(packed: Path, made: Path, cache: Path) -> None:
    new = made.with_name(".made.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    image = unpack(packed.read_bytes(), cache)
    (new / "vmlinux").write_bytes(image)
    (new / "btf").write_bytes(section(image, ".BTF"))
    (new / "build-id").write_text(build_id(section(image, ".notes")))
    new.rename(made)


def unpack(packed: bytes, cache: Path = debian.CACHE) -> bytes:
    """The ELF image inside a bzImage (Documentation/arch/x86/boot.rst: setup_sects, payload_offset)."""
    setup = (packed[0x1F1] + 1) * 512
    offset, length = struct.unpack_from("<II", packed, 0x248)
    payload = packed[setup + offset : setup + offset + length]
    if payload.startswith(XZ):
        return lzma.LZMADecompressor().decompress(payload)
    if payload.startswith(ZSTD):
        zstd = debian.program("zstd", "zstd", cache=cache)
        # The payload ends with four bytes of its size, which zstd takes for a broken frame.
        done = subprocess.run([zstd, "-dc"], input=payload[:-4], stdout=subprocess.PIPE, check=True)
        return done.stdout
    raise debian.Unavailable("the kernel image is compressed in a way that is not known here")


def section(image: bytes, name: str) -> bytes:
    """The content of an ELF section."""
    table, size, count, names = struct.unpack_from("<Q10xHHH", image, 0x28)
    headers = [struct.unpack_from("<IIQQQQ", image, table + i * size) for i in range(count)]
    text = headers[names][4]
    for at, _, _, _, offset, length in headers:
        if image[text + at : image.index(b"\0", text + at)] == name.encode():
            return image[offset : offset + length]
    raise KeyError(name)


def build_id(notes: bytes) -> str:
    """The GNU build id in a notes section, in hexadecimal."""
    at = 0
    while at < len(notes):
        name, length, kind = struct.unpack_from("<III", notes, at)
        start = at + 12 + (name + 3 & ~3)
        if kind == BUILD_ID_NOTE and notes[at + 12 : at + 15] == b"GNU":
            return notes[start : start + length].hex()
        at = start + (length + 3 & ~3)
    raise KeyError("GNU build id")


# ------------------------------------------------------------------------------------------------------------- modules


def modules(folder: Path, names: Iterable[str]) -> dict[str, bytes]:
    """The modules of those names in ``folder`` and what they depend on, uncompressed, in the order of loading.

    A name without a module is taken as built in.
    """
    files = {path.name.split(".ko")[0].replace("-", "_"): path for path in _files(folder)}
    found: dict[str, bytes] = {}
    for name in names:
        _add(name, files, found)
    return found


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*.ko*") if path.is_file())


def _add(name: str, files: dict[str, Path], found: dict[str, bytes]) -> None:
    path = files.get(name)
    if path is None or name in found:
        return
    data = path.read_bytes()
    plain = lzma.decompress(data) if path.suffix == ".xz" else data
    match = re.search(rb"\0depends=([^\0]*)\0", plain)
    for needed in filter(None, match[1].decode().split(",") if match else ()):
        _add(needed.replace("-", "_"), files, found)
    found[name] = plain
