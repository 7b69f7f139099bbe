"""A block device of the test's own: a file behind a loop device, read past the page cache."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from mmap import mmap
from pathlib import Path

BLOCK = 4096


@contextmanager
def loop_device(file: Path, blocks: int) -> Iterator[str]:
    """The device of a new file of so many blocks; gone at the end. OSError where the machine has no loop devices."""
    file.write_bytes(bytes(BLOCK * blocks))
    made = subprocess.run(
        ["losetup", "--find", "--show", str(file)], capture_output=True, text=True, check=False
    )
    if made.returncode != 0:
        raise OSError(made.stderr.strip())
    device = made.stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


def read_directly(device: str, blocks: int) -> None:
    """Read so many blocks, a request each."""
    fd = os.open(device, os.O_RDONLY | os.O_DIRECT)
    try:
        with mmap(-1, BLOCK) as aligned:
            for at in range(blocks):
                assert os.preadv(fd, [aligned], at * BLOCK) == BLOCK
    finally:
        os.close(fd)
