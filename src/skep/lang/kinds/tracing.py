"""Kinds that look on, or decide for the kernel: tracepoints, probes, samples, iterators, LSM, other programs."""

from skep.lang.spec import SLEEPABLE, Context, Hook, ProgramKind

_EVENTS = "a stable tracepoint: tp_btf, raw_tp or tracepoint"
_ENFORCE = "fmod_ret, then a cgroup hook, then a signal"
_ERRORS = (-4095, 0)

TRACEPOINTS = (
    ProgramKind(
        "tp_btf",
        26,
        23,
        Hook.RAW_TRACEPOINT,
        Context.BTF_ARGS,
        attach_prefix="btf_trace_",
        family="tp_btf",
        feature="prog.tp_btf",
        instead="raw_tp",
    ),
    ProgramKind(
        "raw_tp",
        17,
        0,
        Hook.RAW_TRACEPOINT,
        Context.RAW_ARGS,
        since="4.17",
        family="raw_tp",
        feature="prog.raw_tracepoint",
        instead="tracepoint",
    ),
    ProgramKind(
        "raw_tp_writable",
        24,
        0,
        Hook.RAW_TRACEPOINT,
        Context.RAW_ARGS,
        since="5.2",
        family="raw_tp",
        feature="prog.raw_tracepoint_writable",
        changes=("the first argument",),
    ),
    ProgramKind(
        "tracepoint",
        5,
        0,
        Hook.TRACEPOINT,
        Context.FORMAT,
        since="4.7",
        family="tracepoint",
        feature="prog.tracepoint",
        instead="raw_tp",
    ),
    ProgramKind(
        "perf_event",
        7,
        0,
        Hook.PERF_EVENT,
        Context.STRUCT,
        "bpf_perf_event_data",
        since="4.9",
        family="perf_event",
        feature="prog.perf_event",
    ),
    ProgramKind(
        "iterator",
        26,
        28,
        Hook.ITERATOR,
        Context.ITERATOR,
        attach_prefix="bpf_iter_",
        present=("meta",),
        returns=(0, 1),
        since="5.8",
        family="iterator",
        feature="prog.iterator",
        instead="/proc",
    ),
)

FUNCTIONS = (
    ProgramKind(
        "fentry",
        26,
        24,
        Hook.RAW_TRACEPOINT,
        Context.BTF_ARGS,
        returns=(0, 0),
        family="fentry",
        feature="prog.fentry",
        instead=f"kprobe, or {_EVENTS}",
    ),
    ProgramKind(
        "fexit",
        26,
        25,
        Hook.RAW_TRACEPOINT,
        Context.BTF_ARGS,
        returns=(0, 0),
        family="fexit",
        feature="prog.fexit",
        instead=f"kretprobe, or {_EVENTS}",
    ),
    ProgramKind(
        "fmod_ret",
        26,
        26,
        Hook.RAW_TRACEPOINT,
        Context.BTF_ARGS,
        since="5.7",
        family="fmod_ret",
        feature="prog.fmod_ret",
        instead="a cgroup hook, then a signal",
    ),
    ProgramKind(
        "lsm",
        29,
        27,
        Hook.RAW_TRACEPOINT,
        Context.BTF_ARGS,
        attach_prefix="bpf_lsm_",
        returns=_ERRORS,
        since="5.7",
        family="lsm",
        feature="prog.lsm",
        instead=_ENFORCE,
    ),
    ProgramKind(
        "lsm_cgroup",
        29,
        43,
        Hook.CGROUP,
        Context.BTF_ARGS,
        attach_prefix="bpf_lsm_",
        returns=(0, 1),
        default=1,
        since="6.0",
        family="lsm_cgroup",
        feature="prog.lsm_cgroup",
        instead="lsm, with a map of cgroup ids",
    ),
    ProgramKind(
        "freplace",
        28,
        0,
        Hook.RAW_TRACEPOINT,
        Context.REPLACED,
        since="5.6",
        family="freplace",
        feature="prog.ext",
        instead="a tail call",
    ),
    ProgramKind(
        "struct_ops",
        27,
        0,
        Hook.STRUCT_OPS,
        Context.BTF_ARGS,
        since="5.6",
        family="struct_ops",
        feature="prog.struct_ops",
    ),
    ProgramKind(
        "syscall",
        31,
        0,
        Hook.NOWHERE,
        Context.OWN,
        since="5.14",
        family="syscall",
        feature="prog.syscall",
        flags=SLEEPABLE,
    ),
)


def _probe(row: tuple[str, int, Hook, str, str, str]) -> ProgramKind:
    """A program of type kprobe: its context is the registers."""
    name, attach, hook, since, feature, instead = row
    context = Context.USDT if hook is Hook.USDT else Context.REGISTERS
    if name.endswith("syscall"):
        context = Context.SYSCALL
    return ProgramKind(
        name,
        2,
        attach,
        hook,
        context,
        "pt_regs",
        since=since,
        family="kprobe",
        feature=feature,
        instead=instead,
        returns=(0, 1) if attach in (56, 57) else None,
    )


PROBES = tuple(
    _probe(row)
    for row in (
        ("kprobe", 0, Hook.KPROBE, "4.1", "link.kprobe", f"fentry, or {_EVENTS}"),
        ("kretprobe", 0, Hook.KPROBE, "4.1", "link.kprobe", f"fexit, or {_EVENTS}"),
        (
            "ksyscall",
            0,
            Hook.KPROBE,
            "4.17",
            "link.kprobe",
            "tracepoint, on syscalls/sys_enter_NAME",
        ),
        (
            "kretsyscall",
            0,
            Hook.KPROBE,
            "4.17",
            "link.kprobe",
            "tracepoint, on syscalls/sys_exit_NAME",
        ),
        ("kprobe_multi", 42, Hook.KPROBE_MULTI, "5.18", "link.kprobe_multi", "single kprobes"),
        (
            "kretprobe_multi",
            42,
            Hook.KPROBE_MULTI,
            "5.18",
            "link.kprobe_multi",
            "single kretprobes",
        ),
        (
            "kprobe_session",
            56,
            Hook.KPROBE_MULTI,
            "6.10",
            "link.kprobe_session",
            "kprobe and kretprobe",
        ),
        ("uprobe", 0, Hook.UPROBE, "4.1", "link.uprobe", ""),
        ("uretprobe", 0, Hook.UPROBE, "4.1", "link.uprobe", ""),
        ("uprobe_multi", 48, Hook.UPROBE_MULTI, "6.6", "link.uprobe_multi", "single uprobes"),
        ("uretprobe_multi", 48, Hook.UPROBE_MULTI, "6.6", "link.uprobe_multi", "single uretprobes"),
        (
            "uprobe_session",
            57,
            Hook.UPROBE_MULTI,
            "6.13",
            "link.uprobe_session",
            "uprobe and uretprobe",
        ),
        ("usdt", 0, Hook.USDT, "4.20", "link.uprobe", ""),
    )
)

SYSTEM_CALLS = (
    ProgramKind(
        "syscall_tracepoint",
        5,
        0,
        Hook.SYSCALL,
        Context.SUBSCRIBED,
        since="4.7",
        family="tracepoint",
        feature="prog.tracepoint",
    ),
    ProgramKind(
        "syscall_raw",
        26,
        23,
        Hook.SYSCALL,
        Context.SUBSCRIBED_RAW,
        attach_prefix="btf_trace_",
        family="tp_btf",
        feature="prog.tp_btf",
        instead="syscall_tracepoint",
    ),
)
"""Two forms of one subscriber: see `skep.lang.syscalls`."""

TRACING = (*TRACEPOINTS, *FUNCTIONS, *PROBES, *SYSTEM_CALLS)
