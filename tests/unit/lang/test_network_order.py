"""Numbers that the kernel keeps in network order: each is turned once, wherever it comes from and goes to."""

import textwrap

import pytest

from skep.lang import compile as compiler
from skep.lang.byte_order import CONTEXTS, of_context
from skep.lang.kernel_types import KernelTypes
from skep.lang.tree import Assign, Convert, KernelCall, Load, Node, Store, Swap, walk
from skep.lang.types import ArrayType, be16, be32, s32, u16, u32
from skep.lang.values import KernelStruct, be16_of_32
from tests.unit.lang import corpus
from tests.unit.lang.kernel import TARGET

ON_EXEC = '@skep.tp_btf("sched_process_exec")\ndef p(task, old_pid, sock):\n'
ON_CONNECT = '@skep.cgroup("connect4")\ndef p(ctx):\n'


def nodes(head: str, body: str) -> list[Node]:
    """All nodes of a program."""
    made = compiler.tree(corpus.program(head + textwrap.indent(body, "    ")), TARGET)
    return list(walk(*made.body))


def assigned(head: str, body: str) -> list[Node]:
    """What variable ``n`` gets."""
    return [n.value for n in nodes(head, body) if isinstance(n, Assign) and n.name == "n"]


def member(struct: str, name: str) -> object:
    """The type of a member of the kernel."""
    types: KernelTypes = TARGET.types
    whole = types.struct(struct)
    found = types.member(whole, name) if isinstance(whole, KernelStruct) else None
    return found.type if found else None


def test_the_name_of_a_typedef_and_the_table_of_contexts_tell_the_order() -> None:
    assert member("sock", "sk_dport") is be16
    assert member("sock", "sk_daddr") is be32
    whole = member("sock", "sk_v6")
    assert isinstance(whole, ArrayType)
    assert (whole.element, whole.count) == (be32, 4)
    assert member("bpf_sock_addr", "user_ip4") is be32
    assert member("bpf_sock_addr", "user_port") is be16_of_32
    assert member("bpf_sock_addr", "user_family") is u32
    assert member("sock", "sk_mark") is u32


def test_a_field_whose_type_is_another_than_the_table_expects_stays_as_it_is() -> None:
    assert of_context("bpf_sock_addr", "user_port", be16) is be16
    assert of_context("bpf_sock_addr", "user_ip4", s32) is s32
    assert all(isinstance(fields, dict) and fields for fields in CONTEXTS.values())


@pytest.mark.parametrize(
    ("head", "read", "kind", "size"),
    [
        (ON_EXEC, "sock.sk_dport", u16, 2),
        (ON_EXEC, "sock.sk_daddr", u32, 4),
        (ON_EXEC, "sock.sk_v6[3]", u32, 4),
        (ON_EXEC, "SOCKET(u64(sock)).sk_dport", u16, 2),
        (ON_CONNECT, "ctx.user_ip4", u32, 4),
        (ON_CONNECT.replace("4", "6"), "ctx.user_ip6[1]", u32, 4),
        (ON_CONNECT, "ctx.user_port", u16, 4),
    ],
)
def test_what_is_read_is_turned(head: str, read: str, kind: object, size: int) -> None:
    (value,) = assigned(head, f"n = {read}\n")
    assert isinstance(value, Swap)
    assert value.type is kind
    assert isinstance(value.operand, Load)
    assert value.operand.type is kind
    assert value.operand.place.type.size == size


def test_what_is_set_is_turned_back_and_fills_the_field() -> None:
    stores = [n for n in nodes(ON_CONNECT, "ctx.user_port = 443\n") if isinstance(n, Store)]
    (stored,) = (n.value for n in stores)
    assert isinstance(stored, Convert)
    assert stored.type is u32
    assert isinstance(stored.operand, Swap)
    assert stored.operand.type is u16


def test_a_number_that_goes_from_network_order_to_network_order_is_turned_twice() -> None:
    (store,) = (n for n in nodes(ON_EXEC, "STATE.port = sock.sk_dport\n") if isinstance(n, Store))
    assert isinstance(store.value, Swap)
    assert isinstance(store.value.operand, Swap)


def test_arguments_and_results_of_the_kernel_are_turned() -> None:
    seen = compiler.tree(
        corpus.program('@skep.tp_btf("tcp_test")\ndef p(address):\n    return address == 5\n'),
        TARGET,
    )
    (parameter,) = seen.parameters
    assert parameter.type is u32
    assert isinstance(parameter.value, Swap)
    (got,) = assigned(ON_EXEC, "n = port_of(443)\n")
    assert isinstance(got, Swap)
    assert isinstance(got.operand, KernelCall)
    assert isinstance(got.operand.args[0], Swap)


def test_an_annotation_says_that_a_register_holds_network_order() -> None:
    source = '@skep.kprobe("do_rmdir")\ndef p(dfd: be16):\n    return dfd == 80\n'
    (parameter,) = compiler.tree(corpus.program(source), TARGET).parameters
    assert parameter.type is u16
    assert isinstance(parameter.value, Swap)


def test_a_number_that_is_turned_by_hand_may_be_turned_back() -> None:
    body = "raw = skep.htons(sock.sk_dport)\nreturn skep.ntohs(raw) == 443\n"
    assert sum(isinstance(node, Swap) for node in nodes(ON_EXEC, body)) == 3
