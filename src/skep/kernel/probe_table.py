"""The table of probes: a capability is one row. Numbers are those of include/uapi/linux/bpf.h.

Names have a group before the dot: prog, kind, iterator, map, link, helper, kfunc, cpu, btf, event, fs, cap, run.
"""

import errno
from typing import NamedTuple

from skep.btf.types import Kind
from skep.kernel import probe_links as links
from skep.kernel import probe_machine as machine
from skep.kernel import probe_tests as t
from skep.kernel.commands import EXIT, Create, Load
from skep.kernel.perf import EVENTS
from skep.kernel.probe_tests import Test
from skep.kernel.refusal import CAPABILITIES, TRACING
from skep.kernel.vmlinux import BLOB, SIGNED_DIVISION
from skep.lang.kinds import KINDS
from skep.lang.spec import Context, ProgramKind

_ADMIN = ("CAP_SYS_ADMIN",)
_TRACE = "stable tracepoints (tp_btf, raw_tp, tracepoint)"
_ENFORCE = "fmod_ret, then cgroup hooks, then a signal"
_FENTRY = "bpf_fentry_test1"  # a function that only the kernel's own tests call

# A conditional jump of v3 (w0 == 0), the loop bound of 6.9, an acquire load of 6.15 from the stack.
_V3 = bytes.fromhex("b400000000000000 1600000000000000 9500000000000000")
_MAY_GOTO = bytes.fromhex("b700000000000000 e500010000000000 b700000001000000 9500000000000000")
_ACQUIRE = bytes.fromhex("b700000000000000 7b0af8ff00000000 dba0f8ff00010000") + EXIT
_FETCH_ADD = bytes.fromhex("b700000000000000 7b0af8ff00000000 db0af8ff01000000") + EXIT


class Feature(NamedTuple):
    """A capability: how it is tested, since which release, what is used instead, what it needs."""

    test: Test
    since: str = ""
    instead: str = ""
    needs: tuple[str, ...] = ("CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN")


_PROGRAMS = {
    "socket_filter": Feature(t.program(1), "3.19"),
    "kprobe": Feature(t.program(2), "4.1", _TRACE),
    "sched_cls": Feature(t.program(3), "4.1"),
    "sched_act": Feature(t.program(4), "4.1"),
    "tracepoint": Feature(t.program(5), "4.7"),
    "xdp": Feature(t.program(6, 37), "4.8"),
    "xdp_frags": Feature(t.program(6, 37, flags=t.FRAGS), "5.18"),
    "xdp_devmap": Feature(t.program(6, 33), "5.8"),
    "xdp_cpumap": Feature(t.program(6, 35), "5.9"),
    "perf_event": Feature(t.program(7), "4.9"),
    "cgroup_skb": Feature(t.program(8), "4.10"),
    "cgroup_sock": Feature(t.program(9, 2), "4.10"),
    "lwt_in": Feature(t.program(10), "4.10"),
    "lwt_out": Feature(t.program(11), "4.10"),
    "lwt_xmit": Feature(t.program(12), "4.10"),
    "sock_ops": Feature(t.program(13, 3), "4.13"),
    "sk_skb": Feature(t.program(14), "4.14"),
    "cgroup_device": Feature(t.program(15, 6), "4.15"),
    "sk_msg": Feature(t.program(16, 7), "4.17"),
    "raw_tracepoint": Feature(t.program(17), "4.17"),
    "cgroup_sock_addr": Feature(t.program(18, 10), "4.17"),
    "cgroup_unix": Feature(t.program(18, 49), "6.7"),
    "lwt_seg6local": Feature(t.program(19), "4.18"),
    "lirc_mode2": Feature(t.program(20), "4.18"),
    "sk_reuseport": Feature(t.program(21), "4.19"),
    "sk_reuseport_migrate": Feature(t.program(21, 40), "5.14", "sk_reuseport"),
    "flow_dissector": Feature(t.program(22, 17), "4.20"),
    "cgroup_sysctl": Feature(t.program(23, 18), "5.2"),
    "raw_tracepoint_writable": Feature(t.program(24), "5.2"),
    "cgroup_sockopt": Feature(t.program(25, 21), "5.3"),
    "tp_btf": Feature(t.targeted(26, 23, Kind.TYPEDEF, "btf_trace_sched_switch"), "5.5", "raw_tp"),
    "fentry": Feature(t.targeted(26, 24, Kind.FUNC, _FENTRY), "5.5", _TRACE),
    "fexit": Feature(t.targeted(26, 25, Kind.FUNC, _FENTRY), "5.5", _TRACE),
    "fmod_ret": Feature(
        t.targeted(26, 26, Kind.FUNC, "security_file_open"), "5.7", "cgroup hooks, then a signal"
    ),
    "iterator": Feature(t.targeted(26, 28, Kind.FUNC, "bpf_iter_task"), "5.8", "/proc"),
    "struct_ops": Feature(t.struct_ops, "5.6"),
    "ext": Feature(t.extension, "5.6", "tail calls"),
    "lsm": Feature(t.targeted(29, 27, Kind.FUNC, "bpf_lsm_file_open"), "5.7", _ENFORCE),
    "lsm_cgroup": Feature(t.targeted(29, 43, Kind.FUNC, "bpf_lsm_socket_bind"), "6.0", _ENFORCE),
    "sk_lookup": Feature(t.program(30, 36), "5.9"),
    "syscall": Feature(t.program(31, flags=t.SLEEPABLE), "5.14"),
    "netfilter": Feature(t.program(32, 45), "6.4"),
}
_LOOKING_ON = (
    *("kprobe", "tracepoint", "perf_event", "raw_tracepoint", "raw_tracepoint_writable", "tp_btf"),
    *("fentry", "fexit", "fmod_ret", "iterator", "lsm", "lsm_cgroup"),
)
_PROGRAMS |= {name: _PROGRAMS[name]._replace(needs=TRACING) for name in _LOOKING_ON}

_ITERATORS = {
    "task": "5.8",
    "task_file": "5.8",
    "task_vma": "5.12",
    "cgroup": "6.1",
    "bpf_map": "5.8",
    "bpf_map_elem": "5.9",
    "bpf_prog": "5.9",
    "bpf_link": "5.19",
    "bpf_sk_storage_map": "5.9",
    "sockmap": "5.10",
    "tcp": "5.9",
    "udp": "5.9",
    "unix": "5.15",
    "netlink": "5.8",
    "ipv6_route": "5.8",
    "ksym": "6.0",
    "kmem_cache": "6.13",
    "dmabuf": "6.16",
}


def _map(
    kind: int, since: str, key: int = 4, value: int = 4, entries: int = 1, *, flags: int = 0
) -> Feature:
    """A map type."""
    return Feature(t.map_type(Create(kind, key, value, entries, flags)), since)


_MAPS = {
    "hash": _map(1, "3.19"),
    "array": _map(2, "3.19"),
    "mmapable_array": _map(2, "5.5", 4, 4, 1, flags=t.MMAPABLE),
    "prog_array": _map(3, "4.2"),
    "perf_event_array": _map(4, "4.3"),
    "percpu_hash": _map(5, "4.6"),
    "percpu_array": _map(6, "4.6"),
    "stack_trace": _map(7, "4.6", 4, 8, 1),
    "cgroup_array": _map(8, "4.8"),
    "lru_hash": _map(9, "4.10"),
    "lru_percpu_hash": _map(10, "4.10"),
    "lpm_trie": _map(11, "4.11", 8, 4, 1, flags=t.NO_PREALLOC),
    "array_of_maps": Feature(t.nested(12), "4.12"),
    "hash_of_maps": Feature(t.nested(13), "4.12"),
    "devmap": _map(14, "4.14"),
    "sockmap": _map(15, "4.14"),
    "cpumap": _map(16, "4.15"),
    "xskmap": _map(17, "4.18"),
    "sockhash": _map(18, "4.18"),
    "cgroup_storage": _map(19, "4.19", 16, 4, 0),
    "reuseport_sockarray": _map(20, "4.19"),
    "percpu_cgroup_storage": _map(21, "4.20", 16, 4, 0),
    "queue": _map(22, "4.20", 0, 4, 1),
    "stack": _map(23, "4.20", 0, 4, 1),
    "sk_storage": Feature(t.storage(24), "5.2", "a hash by socket"),
    "devmap_hash": _map(25, "5.4"),
    "ringbuf": _map(27, "5.8", 0, 0, 4096),
    "inode_storage": Feature(t.storage(28), "5.10"),
    "task_storage": Feature(t.storage(29), "5.11", "a hash by thread id"),
    "bloom_filter": _map(30, "5.16", 0, 4, 1),
    "user_ringbuf": _map(31, "6.1", 0, 0, 4096),
    "cgrp_storage": Feature(t.storage(32), "6.2", "a hash by cgroup id"),
    "arena": _map(33, "6.9", 0, 0, 1, flags=t.MMAPABLE),
    "batch": Feature(t.batch, "5.6", "single lookups"),
}

_SOURCES = "/sys/bus/event_source/devices"
_CLSACT = "clsact with cls_bpf"
_LINKS = {
    "raw_tracepoint": Feature(links.raw_tracepoint, "4.17"),
    "cgroup": Feature(links.descriptor_link(Load(8, EXIT), 0), "5.7"),
    "perf_event": Feature(links.descriptor_link(Load(7, EXIT), 41), "5.15"),
    "tcx": Feature(links.link(Load(3, EXIT), 46, errno.ENODEV), "6.6", _CLSACT),
    "netkit": Feature(links.link(Load(3, EXIT), 54, errno.ENODEV), "6.7", "veth"),
    "netfilter": Feature(
        links.link(Load(32, EXIT, expected_attach_type=45), 45, errno.EAFNOSUPPORT, target=0), "6.4"
    ),
    "kprobe": Feature(
        machine.readable(f"{_SOURCES}/kprobe/type", "no CONFIG_KPROBES"), "4.17", _TRACE
    ),
    "uprobe": Feature(machine.readable(f"{_SOURCES}/uprobe/type", "no CONFIG_UPROBES"), "4.17"),
    "kprobe_multi": Feature(links.kprobe_multi(42), "5.18", _TRACE),
    "kprobe_session": Feature(links.kprobe_multi(56), "6.10", "kprobe and kretprobe"),
    "uprobe_multi": Feature(links.uprobe_multi(48), "6.6", "single uprobes"),
    "uprobe_session": Feature(links.uprobe_multi(57), "6.13", "uprobe and uretprobe"),
    "netns": Feature(links.descriptor_link(Load(30, EXIT, expected_attach_type=36), 36), "5.9"),
}

_HELPERS = {
    "probe_write_user": Feature(t.helper(36), "4.8"),
    "override_return": Feature(t.helper(58, 2), "4.16"),
    "get_stack": Feature(t.helper(67), "4.18"),
    "send_signal": Feature(t.helper(109), "5.3"),
    "ktime_get_boot_ns": Feature(t.helper(125), "5.8"),
    "ringbuf_reserve": Feature(t.helper(131), "5.8"),
    "snprintf_btf": Feature(t.helper(149), "5.10"),
    "redirect_neigh": Feature(t.helper(152, 3), "5.10", "fib_lookup and a rewrite"),
    "redirect_peer": Feature(t.helper(155, 3), "5.10", "redirect"),
    "this_cpu_ptr": Feature(t.variable("runqueues"), "5.10"),
    "task_storage_get": Feature(t.helper(156), "5.11", "a hash by thread id"),
    "get_current_task_btf": Feature(t.helper(158), "5.11"),
    "snprintf": Feature(t.helper(165), "5.13"),
    "timer_init": Feature(t.helper(169, 3), "5.15"),
    "get_attach_cookie": Feature(t.helper(174), "5.15"),
    "get_branch_snapshot": Feature(t.helper(176), "5.16"),
    "find_vma": Feature(t.helper(180, 2), "5.17"),
    "loop": Feature(t.helper(181), "5.17"),
    "strncmp": Feature(t.helper(182), "5.17"),
    "get_retval": Feature(t.helper(186, 18, 10), "5.18"),
    "set_retval": Feature(t.helper(187, 18, 10), "5.18"),
    "dynptr_from_mem": Feature(t.helper(197), "5.19"),
    "ktime_get_tai_ns": Feature(t.helper(208), "6.1"),
    "user_ringbuf_drain": Feature(t.helper(209), "6.1"),
    "cgrp_storage_get": Feature(t.helper(210), "6.2"),
}

_KFUNCS = {
    "bpf_rcu_read_lock": "6.2",
    "bpf_task_from_pid": "6.2",
    "bpf_cgroup_from_id": "6.3",
    "bpf_iter_num_new": "6.4",
    "bpf_dynptr_from_skb": "6.4",
    "bpf_rdonly_cast": "6.2",
    "nf_conntrack:bpf_skb_ct_lookup": "6.0",
    "nf_conntrack:bpf_xdp_ct_lookup": "6.0",
    "bpf_xdp_metadata_rx_hash": "6.3",
    "bpf_sock_destroy": "6.5",
    "bpf_iter_task_new": "6.7",
    "bpf_iter_task_vma_new": "6.7",
    "bpf_iter_css_new": "6.7",
    "bpf_percpu_obj_new_impl": "6.7",
    "bpf_iter_bits_new": "6.11",
    "bpf_get_file_xattr": "6.8",
    "bpf_arena_alloc_pages": "6.9",
    "bpf_session_cookie": "6.10",
    "bpf_wq_init": "6.10",
    "bpf_crypto_ctx_create": "6.10",
    "bpf_get_task_exe_file": "6.12",
    "scx_bpf_dsq_insert": "6.13",
    "bpf_path_d_path": "6.12",
    "bpf_res_spin_lock": "6.15",
    "bpf_rbtree_root": "6.16",
    "bpf_strcmp": "6.17",
    "bpf_task_work_schedule_resume_impl": "6.18",
}

_OTHERS = {
    "cpu.v3": Feature(t.program(1, insns=_V3), "5.1"),
    "cpu.atomics": Feature(t.program(1, insns=_FETCH_ADD), "5.12"),
    "cpu.v4": Feature(t.program(1, insns=SIGNED_DIVISION), "6.6", "v3"),
    "cpu.may_goto": Feature(t.program(1, insns=_MAY_GOTO), "6.9", "bpf_loop"),
    "cpu.load_acquire": Feature(t.program(1, insns=_ACQUIRE), "6.15"),
    "btf.vmlinux": Feature(machine.readable(BLOB, "no CONFIG_DEBUG_INFO_BTF"), "5.4"),
    "btf.objects": Feature(t.sized("bpf_list_node", 24), "6.6", "an Arena, or a Hash"),
    "btf.objects_in_objects": Feature(
        t.numbered("bpf_arg_type", "ARG_KPTR_XCHG_DEST"), "6.12", "a List in an object"
    ),
    "btf.argument_tags": Feature(t.named(Kind.ENUM, "btf_arg_tag"), "6.9", "numbers and Structs"),
    "btf.core": Feature(t.core, "5.17", "offsets of the running kernel"),
    "run.statistics": Feature(machine.statistics, "5.8", needs=_ADMIN),
    "run.streams": Feature(t.kfunc("bpf_prog_stream_read"), "6.17", "print() without file="),
    "run.memcg": Feature(machine.memlock, "5.11", "a higher RLIMIT_MEMLOCK"),
    "fs.bpffs": Feature(machine.mounted("bpf"), "4.4", "state that ends with the agent"),
    "fs.cgroup2": Feature(machine.mounted("cgroup2"), "4.5", "no cgroup hooks"),
    "fs.tracefs": Feature(machine.tracefs, "4.1", "tp_btf and raw_tp", _ADMIN),
}


_BY_TARGET = (Context.BTF_ARGS, Context.SUBSCRIBED_RAW, Context.ITERATOR, Context.REPLACED)
_EVENT_INSTEAD = {"cycles": "cpu-clock"}


def _named(group: str, features: dict[str, Feature]) -> dict[str, Feature]:
    return {f"{group}.{name}": feature for name, feature in features.items()}


def _kind(kind: ProgramKind) -> Feature:
    """A kind of programs: its smallest program is loaded, or asked for as its row of programs or links is."""
    group, _, row = kind.feature.partition(".")
    found = {"prog": _PROGRAMS, "link": _LINKS}[group][row]
    asked = group == "link" or kind.context in _BY_TARGET
    test = found.test if asked else t.smallest(kind)
    return Feature(test, kind.since, kind.instead, found.needs)


FEATURES: dict[str, Feature] = (
    _named("prog", _PROGRAMS)
    | {f"kind.{kind.name}": _kind(kind) for kind in KINDS.values()}
    | {
        f"iterator.{name}": Feature(t.targeted(26, 28, Kind.FUNC, f"bpf_iter_{name}"), since)
        for name, since in _ITERATORS.items()
    }
    | _named("map", _MAPS)
    | _named("link", _LINKS)
    | _named("helper", _HELPERS)
    | {
        f"kfunc.{name.rpartition(':')[2]}": Feature(t.kfunc(name), since)
        for name, since in _KFUNCS.items()
    }
    | {
        f"event.{name}": Feature(links.sampling(name), "4.9", _EVENT_INSTEAD.get(name, ""))
        for name in EVENTS
    }
    | _OTHERS
    | {
        f"cap.{name.removeprefix('CAP_').lower()}": Feature(machine.capability(name), needs=(name,))
        for name in CAPABILITIES
    }
)
