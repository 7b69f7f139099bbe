"""An iterator over TCP sockets reads their options and sets them, as other iterators may not."""

import errno
import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

import skep
from skep.testing.network import Namespace
from tests.kernel.kinds.programs import tcp_options
from tests.kernel.kinds.programs.tcp_options import Wanted, found, wanted


@pytest.mark.requires("iterator.tcp")
def test_options_of_sockets_are_read_and_set(netns: Namespace) -> None:
    with netns.entered(), socket.socket() as one:
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 11)
        one.bind(("127.0.0.1", 0))
        one.listen()
        port = one.getsockname()[1]
        with skep.load(tcp_options.options, initial={wanted: Wanted(port, 77)}) as live:
            live.read(tcp_options.options)
            assert [live[found][i] for i in range(4)] == [0, 11, 0, -errno.EINVAL]
        assert one.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 77


def test_the_same_as_plain_python() -> None:
    def get(_sk: object, _level: int, _name: int, value: Any, *_: object) -> int:  # noqa: ANN401 - memory of a program
        value[0] = 11
        return 0

    set_to: list[int] = []

    def put(_sk: object, _level: int, name: int, value: Any) -> int:  # noqa: ANN401 - as above
        set_to.append(int(value[0]))
        return -errno.EINVAL if name > 9 else 0

    helpers: dict[str, Callable[..., Any]] = {"getsockopt": get, "setsockopt": put}
    kernel = skep.FakeKernel(helpers=helpers)
    kernel[wanted].port, kernel[wanted].seconds = 80, 77
    for port in (80, 81):
        context = SimpleNamespace(sk_common=SimpleNamespace(skc_num=port))
        tcp_options.options.py(context, kernel=kernel)
    assert [kernel[found][i] for i in range(4)] == [0, 11, 0, -errno.EINVAL]
    assert set_to == [77, 77]
