"""Peers to measure against, from Debian packages that are unpacked and not installed (tools.debian).

A bench that cannot get its peer says so and measures the rest: ``None`` instead of a path.
"""

import sys
from pathlib import Path

from tools import debian


def program(bundle: str, name: str) -> Path | None:
    """A program of a bundle, such as ("bpftrace", "bpftrace") or ("clang", "clang-19")."""
    try:
        return debian.program(bundle, name)
    except debian.Unavailable as reason:
        print(f"bench: no {name}: {reason}", file=sys.stderr)
        return None


def library(bundle: str, name: str) -> Path | None:
    """A shared library of a bundle, such as ("libbpf", "libbpf.so.1"), or the machine's own where it has it."""
    try:
        folders = debian.libraries(debian.fetch([bundle])[0])
    except debian.Unavailable as reason:
        print(f"bench: no {name}: {reason}", file=sys.stderr)
        return None
    system = [Path("/usr/lib") / debian.TRIPLET, Path("/lib") / debian.TRIPLET]
    return next((path / name for path in folders + system if (path / name).exists()), None)


def headers(bundle: str) -> Path | None:
    """The folder of C headers of a bundle, such as "libbpf"."""
    try:
        return debian.fetch([bundle])[0] / "usr/include"
    except debian.Unavailable as reason:
        print(f"bench: no headers of {bundle}: {reason}", file=sys.stderr)
        return None
