"""The kernel's helpers as plain Python: a fake for each that a FakeKernel can answer, a reason for each other one.

A fake is given the kernel and then the arguments in the kernel's order, without the context and with all sizes.
"""

import errno
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from skep.lang.helpers import Arg, Helper
from skep.lang.plain import packets
from skep.lang.plain.memory import put, raw
from skep.lang.struct import Struct
from skep.lang.types import char

if TYPE_CHECKING:
    from skep.lang.plain.kernel import FakeKernel

Fake = Callable[..., Any]

TASK_NAME, TICK = 16, 4_000_000
XDP_REDIRECT, TC_REDIRECT, ABORTED, SHOT = 4, 7, 0, 2
INGRESS = 1


def completed(row: Helper, given: Sequence[Any]) -> list[Any]:
    """The arguments of a call, with the sizes that it left out."""
    wanted = [kind for kind in row.args if kind is not Arg.CONTEXT]
    if len(given) == len(wanted) or Arg.SIZE not in wanted:
        return list(given)
    rest, made = list(given), list[Any]()
    for kind in wanted:
        if kind is Arg.SIZE:
            made.append(len(raw(made[-1])) if made[-1] is not None else 0)
        elif rest:
            made.append(rest.pop(0))
    return made


# --- what is at an address ----------------------------------------------------------------------------------------


def _at(kernel: "FakeKernel", address: Any) -> bytes | None:
    """The bytes that the test says stand at an address; None: nothing is at 0."""
    if isinstance(address, int) and int(address) == 0:
        return None
    found = kernel.seen(address)
    if isinstance(found, str):
        return found.encode() + b"\0"
    return bytes(found.to_bytes() if isinstance(found, Struct) else found)


def _read(kernel: "FakeKernel", to: Any, size: int, address: Any, *_: Any) -> int:
    found = _at(kernel, address)
    raw(to)[:size] = bytes(size) if found is None else found[:size].ljust(size, b"\0")
    return -errno.EFAULT if found is None else 0


def _read_text(kernel: "FakeKernel", to: Any, size: int, address: Any) -> int:
    found = _at(kernel, address)
    if found is None:
        raw(to)[:size] = bytes(size)
        return -errno.EFAULT
    text = found.split(b"\0", 1)[0][: max(size - 1, 0)] + b"\0"
    raw(to)[: len(text)] = text
    return len(text)


# --- tasks --------------------------------------------------------------------------------------------------------


def _name(kernel: "FakeKernel", to: Any, size: int) -> int:
    put(char[size], raw(to)[:size], kernel.task.comm[: min(size, TASK_NAME) - 1])
    return 0


def _ids(kernel: "FakeKernel", _device: int, _inode: int, to: Any, _size: int) -> int:
    task = kernel.task
    raw(to)[:8] = (task.tid or task.pid).to_bytes(4, "little") + task.pid.to_bytes(4, "little")
    return 0


def _signal(kernel: "FakeKernel", number: int) -> int:
    kernel.signals.append(int(number))
    return 0


def _find_vma(kernel: "FakeKernel", task: Any, address: Any, function: Fake, *memory: Any) -> int:
    for mapping in kernel.mappings:
        if mapping.vm_start <= int(address) < mapping.vm_end:
            function(task, mapping, *memory)
            return 0
    return -errno.ENOENT


def _set_result(kernel: "FakeKernel", number: int) -> int:
    kernel.retval = packets.signed(number)
    return 0


# --- text ---------------------------------------------------------------------------------------------------------


def _number(*, signed: bool) -> Fake:
    """What strtol or strtoul gives: the characters used, or a negative error number."""

    def run(_kernel: "FakeKernel", text: Any, size: int, base: int, to: Any) -> int:
        if base not in (0, 8, 10, 16):
            return -errno.EINVAL
        found = bytes(raw(text)[:size]).split(b"\0", 1)[0].decode("latin-1")
        rest = found.lstrip(" \t\n\v\f\r")
        sign = rest[:1] if rest[:1] == "-" else ""
        digits, base, skipped = _digits(rest[len(sign) :], base)
        if not digits or (sign and not signed):
            return -errno.EINVAL
        value = int(digits, base) * (-1 if sign else 1)
        low, high = (-(1 << 63), 1 << 63) if signed else (0, 1 << 64)
        if not low <= value < high:
            return -errno.ERANGE
        raw(to)[:8] = (value & (1 << 64) - 1).to_bytes(8, "little")
        return len(found) - len(rest) + len(sign) + skipped + len(digits)

    return run


HEX = "0123456789abcdef"


def _digits(text: str, base: int) -> tuple[str, int, int]:
    """The digits that a number begins with, its base, and how long the prefix was that says it."""
    low = text.lower()
    if base == 0:
        hexadecimal = low[:2] == "0x" and low[2:3] and low[2] in HEX
        base = 16 if hexadecimal else 8 if low[:1] == "0" else 10
    skipped = 2 if base == 16 and low[:2] == "0x" else 0
    body = low[skipped:]
    count = next((n for n, letter in enumerate(body) if letter not in HEX[:base]), len(body))
    return body[:count], base, skipped


# --- ways of packets ----------------------------------------------------------------------------------------------


def _redirect(kernel: "FakeKernel", device: int, flags: int) -> int:
    if kernel.family == "xdp":
        return ABORTED if flags else _sent(kernel, device, XDP_REDIRECT)
    return SHOT if flags & ~INGRESS else _sent(kernel, device, TC_REDIRECT)


def _beside(kernel: "FakeKernel", device: int, *rest: Any) -> int:
    """redirect_peer and redirect_neigh, which take no flags."""
    return SHOT if int(rest[-1]) else _sent(kernel, device, TC_REDIRECT)


def _clone(kernel: "FakeKernel", device: int, flags: int) -> int:
    return -errno.EINVAL if flags & ~INGRESS else _sent(kernel, device, 0)


def _sent(kernel: "FakeKernel", device: int, verdict: int) -> int:
    kernel.sent.append(int(device))
    return verdict


def _set(name: str) -> Fake:
    """A helper that sets a field of the packet."""

    def run(kernel: "FakeKernel", value: int) -> int:
        setattr(packets.packet(kernel), name, int(value))
        return 0

    return run


# --- other --------------------------------------------------------------------------------------------------------


def _query(_kernel: "FakeKernel", ring: Any, flags: int) -> int:
    return int({0: ring.used, 1: ring.declared.entries}.get(int(flags), 0))


def _format(_kernel: "FakeKernel", to: Any, size: int, line: str, *_values: Any) -> int:
    """snprintf: in plain Python, the line is text already."""
    text = str(line).encode()
    raw(to)[:size] = (text[: size - 1] + b"\0").ljust(size, b"\0")
    return len(text) + 1


def _write(kernel: "FakeKernel", _file: Any, data: Any, size: int) -> int:
    kernel.written += bytes(raw(data)[:size])
    return 0


def _ring_output(_kernel: "FakeKernel", ring: Any, data: Any, size: int, _flags: int = 0) -> int:
    return int(ring.output(data, size))


FAKES: dict[str, Fake] = {
    **dict.fromkeys(
        (
            *("ktime_get_ns", "ktime_get_boot_ns", "ktime_get_tai_ns"),
            "ktime_get_coarse_ns",
        ),
        lambda kernel: kernel.now,
    ),
    "jiffies64": lambda kernel: kernel.now // TICK,
    "get_smp_processor_id": lambda kernel: kernel.cpu,
    "get_numa_node_id": lambda _: 0,
    "get_prandom_u32": lambda _: 4,
    "get_attach_cookie": lambda kernel: kernel.cookie,
    "get_current_pid_tgid": lambda kernel: (
        kernel.task.pid << 32 | (kernel.task.tid or kernel.task.pid)
    ),
    "get_ns_current_pid_tgid": _ids,
    "get_current_uid_gid": lambda kernel: kernel.task.gid << 32 | kernel.task.uid,
    "get_current_cgroup_id": lambda kernel: kernel.task.cgroup,
    "get_current_comm": _name,
    "get_current_task": lambda kernel: kernel.current,
    "get_current_task_btf": lambda kernel: kernel.current,
    "current_task_under_cgroup": lambda _, groups, index: groups.holds_current(index),
    "send_signal": _signal,
    "send_signal_thread": _signal,
    "set_retval": _set_result,
    "get_retval": lambda kernel: kernel.retval,
    "override_return": _set_result,
    "seq_write": _write,
    "snprintf": _format,
    **dict.fromkeys(
        ("probe_read_user", "probe_read_kernel", "copy_from_user", "copy_from_user_task"), _read
    ),
    **dict.fromkeys(("probe_read_user_str", "probe_read_kernel_str"), _read_text),
    "strtol": _number(signed=True),
    "strtoul": _number(signed=False),
    "tail_call": lambda kernel, programs, index: programs.call(kernel.context, index),
    "ringbuf_output": _ring_output,
    "ringbuf_query": _query,
    "skb_load_bytes": packets.skb_load,
    "skb_load_bytes_relative": packets.skb_load_relative,
    "skb_store_bytes": packets.skb_store,
    "skb_pull_data": packets.skb_pull,
    "skb_change_tail": packets.skb_change_tail,
    "skb_change_head": packets.skb_change_head,
    "skb_change_type": _set("pkt_type"),
    "set_hash": _set("hash"),
    "set_hash_invalid": lambda kernel: _set("hash")(kernel, 0),
    "get_hash_recalc": lambda kernel: getattr(packets.packet(kernel), "hash", 0),
    "xdp_load_bytes": packets.xdp_load,
    "xdp_store_bytes": packets.xdp_store,
    "xdp_adjust_head": packets.xdp_adjust_head,
    "xdp_adjust_tail": packets.xdp_adjust_tail,
    "xdp_get_buff_len": lambda kernel: len(packets.packet(kernel)),
    "csum_diff": packets.csum_diff,
    "l3_csum_replace": packets.l3_csum_replace,
    "l4_csum_replace": packets.l4_csum_replace,
    "redirect": _redirect,
    "redirect_peer": _beside,
    "redirect_neigh": _beside,
    "clone_redirect": _clone,
    "redirect_map": lambda _, places, key, flags: places.redirect(key, flags),
    **dict.fromkeys(
        ("sk_redirect_map", "sk_redirect_hash", "msg_redirect_map", "msg_redirect_hash"),
        lambda kernel, places, key, flags: places.redirect(kernel.context, key, flags),
    ),
    "sk_select_reuseport": lambda kernel, group, key, _: group.select(kernel.context, key),
    **dict.fromkeys(
        ("sock_map_update", "sock_hash_update"),
        lambda kernel, places, key, flags: places.update(kernel.context, key, flags),
    ),
    **dict.fromkeys(
        (
            *("skc_to_tcp6_sock", "skc_to_tcp_sock", "skc_to_tcp_timewait_sock"),
            *("skc_to_tcp_request_sock", "skc_to_udp6_sock", "skc_to_unix_sock"),
            *("skc_to_mptcp_sock", "tcp_sock", "sk_fullsock", "get_listener_sock"),
        ),
        lambda _, socket: socket,
    ),
    "find_vma": _find_vma,
    "this_cpu_ptr": lambda kernel, variable: variable.of(kernel.cpu),
    "per_cpu_ptr": lambda _, variable, cpu: variable.of(cpu),
    "sk_release": lambda _, _socket: 0,
}
"""The fakes by name."""

CPU = "it asks the processor"
STACK = "it walks a stack"
SOCKET = "it asks for a socket of the kernel's"
COUPLED = "what it does depends on the packet's headers and on its device"
CONTROL = "it asks for cgroups and controllers of the kernel's"
CALL = "it asks for the registers of a call"
FILE = "it asks for files and keys of the kernel's"
TUNNEL = "it asks for the packet's tunnel"
ROUTE = "it asks for routes, neighbours and devices of the kernel's"
COOKIE = "it works with the kernel's secret for SYN cookies"
MESSAGE = "it changes a message between sockets"
HEADER = "it works on the options of a TCP packet of the kernel's"
SYSCTL = "it asks for the sysctl that is read or written"
SYSTEM = "it asks the running kernel"
DYNPTR = "it asks for a dynptr of the kernel's"
TYPES = "it shows an object by the types of the running kernel"

UNFAKED: dict[str, str] = {
    name: why
    for why, names in (
        (CPU, "get_branch_snapshot read_branch_records perf_event_read perf_event_read_value"),
        (CPU, "perf_prog_read_value"),
        (STACK, "get_stackid get_stack get_task_stack"),
        (CALL, "get_func_ip get_func_arg get_func_ret get_func_arg_cnt task_pt_regs"),
        (CONTROL, "get_current_ancestor_cgroup_id get_cgroup_classid skb_cgroup_classid"),
        (CONTROL, "skb_cgroup_id skb_ancestor_cgroup_id sk_cgroup_id sk_ancestor_cgroup_id"),
        (CONTROL, "skb_under_cgroup"),
        (SOCKET, "get_socket_cookie get_netns_cookie get_socket_uid setsockopt getsockopt bind"),
        (SOCKET, "sk_lookup_tcp sk_lookup_udp skc_lookup_tcp sk_assign sock_from_file"),
        (SOCKET, "tcp_send_ack sock_ops_cb_flags_set"),
        (FILE, "d_path bprm_opts_set ima_inode_hash ima_file_hash"),
        (SYSTEM, "sys_bpf sys_close btf_find_by_name_kind kallsyms_lookup_name probe_write_user"),
        (SYSTEM, "skb_output xdp_output"),
        (DYNPTR, "dynptr_from_mem dynptr_read dynptr_write dynptr_data"),
        (TYPES, "snprintf_btf seq_printf_btf"),
        (TUNNEL, "skb_get_tunnel_key skb_set_tunnel_key skb_get_tunnel_opt skb_set_tunnel_opt"),
        (TUNNEL, "skb_get_xfrm_state"),
        (ROUTE, "fib_lookup check_mtu get_route_realm"),
        (COOKIE, "tcp_check_syncookie tcp_gen_syncookie"),
        (COOKIE, "tcp_raw_gen_syncookie_ipv4 tcp_raw_gen_syncookie_ipv6"),
        (COOKIE, "tcp_raw_check_syncookie_ipv4 tcp_raw_check_syncookie_ipv6"),
        (COUPLED, "skb_adjust_room skb_change_proto skb_vlan_push skb_vlan_pop skb_set_tstamp"),
        (COUPLED, "skb_ecn_set_ce csum_update csum_level xdp_adjust_meta lwt_push_encap"),
        (COUPLED, "lwt_seg6_store_bytes lwt_seg6_adjust_srh lwt_seg6_action"),
        (MESSAGE, "msg_apply_bytes msg_cork_bytes msg_pull_data msg_push_data msg_pop_data"),
        (HEADER, "load_hdr_opt store_hdr_opt reserve_hdr_opt"),
        (SYSCTL, "sysctl_get_name sysctl_get_current_value sysctl_get_new_value"),
        (SYSCTL, "sysctl_set_new_value"),
    )
    for name in names.split()
}
"""The helpers without a fake, and why; a test gives its own."""
