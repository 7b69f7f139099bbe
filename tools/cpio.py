"""A cpio archive (newc) of a few files, as the kernel unpacks it for its first root. Bytes in, bytes out."""

import stat

TRAILER = "TRAILER!!!"
ALIGNMENT = 4


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % ALIGNMENT)


def _member(index: int, name: str, mode: int, data: bytes) -> bytes:
    path = name.encode() + b"\0"
    numbers = (index, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path), 0)
    header = b"070701" + b"".join(b"%08X" % number for number in numbers)
    return _padded(header + path) + _padded(data)


def archive(
    files: dict[str, bytes], *, programs: frozenset[str], folders: tuple[str, ...]
) -> bytes:
    """An archive of ``folders``, then ``files`` (path -> content); those in ``programs`` may be executed."""
    parents = {f.rsplit("/", i)[0] for f in files for i in range(1, f.count("/") + 1)}
    members = [
        (name, stat.S_IFDIR | 0o755, b"") for name in sorted(parents | set(folders), key=len)
    ]
    members += [
        (name, stat.S_IFREG | (0o755 if name in programs else 0o644), data)
        for name, data in files.items()
    ]
    members.append((TRAILER, 0, b""))
    return b"".join(_member(i, *member) for i, member in enumerate(members, 1))
