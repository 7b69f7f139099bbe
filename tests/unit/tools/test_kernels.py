import lzma
import struct
from pathlib import Path

import pytest

from tools import debian, kernels
from tools.debian import Package, Unavailable


def image(**sections: bytes) -> bytes:
    """An ELF file of these sections: just enough of it to be found."""
    names = b"\0.shstrtab\0" + b"".join(b".%s\0" % name.encode() for name in sections)
    body, headers = b"", []
    for name, data in (("shstrtab", names), *sections.items()):
        at = names.index(b".%s\0" % name.encode())
        headers.append(
            struct.pack("<IIQQQQIIQQ", at, 1, 0, 0, 64 + len(body), len(data), 0, 0, 1, 0)
        )
        body += data
    start = b"\x7fELF\2\1\1".ljust(0x28, b"\0") + struct.pack("<Q", 64 + len(body))
    start += bytes(10) + struct.pack("<HHH", 64, len(headers), 0)
    return start.ljust(64, b"\0") + body + b"".join(headers)


def packed(payload: bytes) -> bytes:
    """A bzImage with two setup sectors, after which the payload lies at 16."""
    head = bytearray(3 * 512)
    head[0x1F1] = 2
    struct.pack_into("<II", head, 0x248, 16, len(payload))
    return bytes(head) + bytes(16) + payload + b"signature"


def note(name: bytes, kind: int, data: bytes) -> bytes:
    padded = name + bytes(-len(name) % 4) + data + bytes(-len(data) % 4)
    return struct.pack("<III", len(name), len(data), kind) + padded


def test_an_image_is_found_in_what_a_boot_loader_starts() -> None:
    assert kernels.unpack(packed(lzma.compress(b"the image"))) == b"the image"


def test_an_unknown_compression_is_told() -> None:
    with pytest.raises(Unavailable, match="compressed in a way"):
        kernels.unpack(packed(b"LZ4 or so"))


def test_a_section_is_found_by_name() -> None:
    made = image(BTF=b"types", notes=b"some")
    assert kernels.section(made, ".BTF") == b"types"
    assert kernels.section(made, ".notes") == b"some"
    with pytest.raises(KeyError):
        kernels.section(made, ".text")


def test_the_build_id_is_the_gnu_note_among_others() -> None:
    notes = note(b"Linux\0", 3, b"123") + note(b"GNU\0", 1, b"abi") + note(b"GNU\0", 3, b"\xab\xcd")
    assert kernels.build_id(notes) == "abcd"
    with pytest.raises(KeyError):
        kernels.build_id(note(b"GNU\0", 1, b"abi"))


def test_modules_come_in_the_order_in_which_they_load(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net/9pnet.ko").write_bytes(b"ELF\0depends=\0")
    (tmp_path / "9pnet-virtio.ko.xz").write_bytes(lzma.compress(b"ELF\0depends=9pnet,virtio\0"))
    found = kernels.modules(tmp_path, ["built_in", "9pnet_virtio", "9pnet"])
    assert list(found) == ["9pnet", "9pnet_virtio"]
    assert found["9pnet_virtio"].startswith(b"ELF")


@pytest.mark.parametrize(
    ("series", "folder", "image_at", "config"),
    [
        (
            "6.1",
            "lib/modules/6.1.0-9-amd64",
            "boot/vmlinuz-6.1.0-9-amd64",
            "boot/config-6.1.0-9-amd64",
        ),
        (
            kernels.NEWEST,
            "usr/lib/modules/7.3.4+deb13-amd64",
            "usr/lib/modules/7.3.4+deb13-amd64/vmlinuz",
            "usr/lib/modules/7.3.4+deb13-amd64/config",
        ),
    ],
)
def test_a_kernel_is_found_beside_the_boot_loader_or_beside_its_modules(
    tmp_path: Path, series: str, folder: str, image_at: str, config: str
) -> None:
    at = tmp_path / f"linux-{series}"
    (at / folder).mkdir(parents=True)
    (at / image_at).parent.mkdir(exist_ok=True)
    made = image(BTF=b"types", notes=note(b"GNU\0", 3, b"\xab"))
    (at / image_at).write_bytes(packed(lzma.compress(made)))
    told = debian.manifest(debian.BUNDLES[f"linux-{series}"], [Package("linux", "9-1", 0)])
    (at / "bundle.json").write_text(told)
    found = kernels.kernel(series, tmp_path)
    assert (found.series, found.release, found.build_id) == (series, at.joinpath(folder).name, "ab")
    assert (found.config, found.modules) == (at / config, at / folder)
    assert found.btf.read_bytes() == b"types"
