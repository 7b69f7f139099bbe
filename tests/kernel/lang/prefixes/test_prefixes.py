"""Prefixes that programs write are, in the kernel and in plain Python, those of their first bits."""

import errno
from ipaddress import IPv4Network
from typing import Any

import pytest

import skep
from tests.kernel.lang.prefixes.programs import results, routes, routes_of_hosts

OF = [0, 0, -errno.EINVAL, -errno.EINVAL, -errno.ENOENT, 52, -1, 6, 1, -errno.ENOSPC, 0, 9]
LEFT = {
    IPv4Network("10.1.0.0/16"): 6,
    IPv4Network("11.1.255.0/24"): 1,
    IPv4Network("0.0.0.0/0"): 9,
}


def _fill(table: Any) -> None:  # noqa: ANN401 - live, or a fake
    table[IPv4Network("12.0.0.0/8")] = 7
    with pytest.raises(skep.KernelError, match=r"full: it .* 4 entries"):
        table[IPv4Network("13.0.0.0/8")] = 8


def test_prefixes_in_plain_python() -> None:
    kernel = skep.FakeKernel()
    assert routes_of_hosts.py(bytes(20), kernel=kernel) == 2
    assert (list(kernel[results].of), dict(kernel[routes])) == (OF, LEFT)
    _fill(kernel[routes])


def test_prefixes_in_the_kernel() -> None:
    with skep.load(routes_of_hosts, attach=False) as live:
        assert live.programs["routes_of_hosts"].test_run(bytes(20)).retval == 2
        assert (list(live[results].of), dict(live[routes])) == (OF, LEFT)
        _fill(live[routes])
