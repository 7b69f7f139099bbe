"""The table of program kinds: a kind is one row. Numbers are those of the kernel's include/uapi/linux/bpf.h."""

from skep.lang.spec import Context, Hook, ProgramKind

XDP_VERDICTS = (0, 4)
CGROUP_VERDICTS = (0, 1)

KINDS: dict[str, ProgramKind] = {
    kind.name: kind
    for kind in (
        ProgramKind(
            "tp_btf", 26, 23, Hook.RAW_TRACEPOINT, Context.BTF_ARGS, attach_prefix="btf_trace_"
        ),
        ProgramKind("raw_tp", 17, 0, Hook.RAW_TRACEPOINT, Context.RAW_ARGS, since="4.17"),
        ProgramKind("tracepoint", 5, 0, Hook.TRACEPOINT, Context.FORMAT, since="4.7"),
        ProgramKind("syscall_tracepoint", 5, 0, Hook.SYSCALL, Context.SYSCALL, since="4.7"),
        ProgramKind(
            "syscall_raw",
            26,
            23,
            Hook.SYSCALL,
            Context.SYSCALL_RAW,
            attach_prefix="btf_trace_",
        ),
        ProgramKind(
            "perf_event", 7, 0, Hook.PERF_EVENT, Context.STRUCT, "bpf_perf_event_data", since="4.9"
        ),
        ProgramKind(
            "iterator",
            26,
            28,
            Hook.ITERATOR,
            Context.ITERATOR,
            attach_prefix="bpf_iter_",
            returns=(0, 1),
            since="5.8",
        ),
        ProgramKind(
            "xdp",
            6,
            37,
            Hook.XDP,
            Context.STRUCT,
            "xdp_md",
            default=2,
            packet=True,
            since="4.8",
        ),
        ProgramKind(
            "tcx_ingress",
            3,
            46,
            Hook.TCX,
            Context.STRUCT,
            "__sk_buff",
            default=-1,
            packet=True,
            since="6.6",
        ),
        ProgramKind(
            "tcx_egress",
            3,
            47,
            Hook.TCX,
            Context.STRUCT,
            "__sk_buff",
            default=-1,
            packet=True,
            since="6.6",
        ),
        ProgramKind(
            "cgroup_connect4",
            18,
            10,
            Hook.CGROUP,
            Context.STRUCT,
            "bpf_sock_addr",
            returns=CGROUP_VERDICTS,
            default=1,
            since="4.17",
        ),
        ProgramKind(
            "cgroup_connect6",
            18,
            11,
            Hook.CGROUP,
            Context.STRUCT,
            "bpf_sock_addr",
            returns=CGROUP_VERDICTS,
            default=1,
            since="4.17",
        ),
        ProgramKind(
            "cgroup_skb_ingress",
            8,
            0,
            Hook.CGROUP,
            Context.STRUCT,
            "__sk_buff",
            returns=CGROUP_VERDICTS,
            default=1,
            packet=True,
            since="4.10",
        ),
        ProgramKind(
            "cgroup_skb_egress",
            8,
            1,
            Hook.CGROUP,
            Context.STRUCT,
            "__sk_buff",
            returns=(0, 3),
            default=1,
            packet=True,
            since="4.10",
        ),
    )
}
