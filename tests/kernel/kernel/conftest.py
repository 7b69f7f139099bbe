"""After each test of ``kernel``, the kernel's own lists have no program and no link of it left."""

import os
from collections.abc import Iterator

import pytest

from skep.btf.reader import Btf
from skep.kernel.bpf import DOOR
from skep.program.machine import Machine
from tests.kernel.kernel.samples import eventually, ours


@pytest.fixture(scope="session")
def btf() -> Btf:
    """The types of the running kernel."""
    return Machine().btf


@pytest.fixture
def bpffs() -> Iterator[str]:
    """A bpffs that nobody else sees, gone with the test."""
    fd = DOOR.mount_detached("bpf")
    yield f"/proc/self/fd/{fd}"
    os.close(fd)


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    yield
    assert eventually(lambda: ours() == []), f"left in the kernel: {ours()}"
