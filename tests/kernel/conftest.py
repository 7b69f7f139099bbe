"""Kernel tests need root, and ``ip`` of iproute2; they run on the machine's kernel and, from tests/vm, on others."""

import os
import shutil
from collections.abc import Callable
from typing import NoReturn

import pytest

from tools import debian


@pytest.fixture(autouse=True, scope="session")
def _machine(absent: Callable[[str], NoReturn]) -> None:
    """root, and ``ip`` in PATH: the machine's own, or one that is unpacked and not installed."""
    if os.geteuid() != 0:
        absent("kernel tests need root")
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"  # noqa: TID251 - for commands
    if shutil.which("ip", path=path) is None:
        path = f"{debian.fetch(['iproute2'])[0] / 'run'}:{path}"
    os.environ["PATH"] = path  # noqa: TID251 - the same
