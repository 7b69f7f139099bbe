"""A small kernel to compile for: BTF made by hand, with what a real one has that is worth a test.

Offsets are not those of any kernel. ``TARGET`` compiles without root, and the same everywhere.
"""

from collections.abc import Sequence

from skep.base.errors import BadInput
from skep.btf.reader import Btf
from skep.btf.types import Kind, Member, Param, Section
from skep.btf.writer import Builder
from skep.lang.front.scope import Target
from skep.lang.kernel_types import KernelTypes
from skep.lang.located import located
from skep.lang.struct import Struct, StructType
from skep.lang.types import s32, u32, u64


class Openat(Struct):
    """The format of syscalls/sys_enter_openat."""

    common_pid: s32
    nr: s32
    dfd: u64
    filename: u64
    mode: u32


class Connect(Struct):
    """The format of syscalls/sys_enter_connect."""

    common_pid: s32
    _pad4: u32
    nr: s32
    _pad12: u32
    fd: u64
    uservaddr: u64


class Ended(Struct):
    """The format of each call's exit."""

    common_pid: s32
    _pad4: u32
    nr: s32
    _pad12: u32
    ret: u64


class Executed(Struct):
    """The format of sched/sched_process_exec, with memory behind it that no kernel has there."""

    common_pid: s32
    filename: located("__data_loc char[]")  # type: ignore[valid-type]
    pid: s32
    raw: located("__rel_loc u8[]")  # type: ignore[valid-type]
    cpus: located("__data_loc cpumask_t")  # type: ignore[valid-type]


SECTIONS = (
    "bpf_rcu_read_lock",
    "bpf_rcu_read_unlock",
    "bpf_preempt_disable",
    "bpf_preempt_enable",
)
FORMATS = {
    "sys_enter_openat": Openat,
    "sys_enter_connect": Connect,
    "sys_exit_openat": Ended,
    "sys_exit_newstat": Ended,
}


def events() -> list[str]:
    """The names of these."""
    return [f"syscalls/{name}" for name in FORMATS]


def formats(category: str, name: str) -> StructType | None:
    """The tracepoints with a format."""
    if category == "sched":
        return Executed if name == "sched_process_exec" else None
    return FORMATS.get(name) if category == "syscalls" else None


class _Kernel:
    """The types while they are built."""

    def __init__(self) -> None:
        b = self.b = Builder()
        self.u8 = b.integer("unsigned char", 1)
        self.u16 = b.integer("short unsigned int", 2)
        self.u32 = b.integer("unsigned int", 4)
        self.s32 = b.integer("int", 4, signed=True)
        self.u64 = b.integer("long unsigned int", 8)
        self.s64 = b.integer("long int", 8, signed=True)
        self.char = b.integer("char", 1, signed=True, char=True)
        self.bool = b.boolean()
        self.void = b.ptr(0)

    def struct(self, name: str, size: int, members: Sequence[tuple[str, int, int]]) -> int:
        """A struct of members (name, type, offset in bytes)."""
        return self.b.struct(name, size, [Member(n, t, 8 * o) for n, t, o in members])

    def words(self, name: str, fields: Sequence[str]) -> int:
        """A struct of u32 fields."""
        members = [(field, self.u32, 4 * i) for i, field in enumerate(fields)]
        return self.struct(name, 4 * len(fields), members)

    def event(self, name: str, *arguments: int) -> None:
        """A tracepoint with typed arguments."""
        params = [Param("__data", self.void), *(Param("", kind) for kind in arguments)]
        self.b.typedef(f"btf_trace_{name}", self.b.ptr(self.b.prototype(0, params)))

    def group(self) -> None:
        """A struct that ends with an array without a length."""
        numbers = self.b.array(self.u32, self.u32, 0)
        self.struct("group_info", 8, [("ngroups", self.s32, 0), ("gid", numbers, 8)])

    def files(self) -> int:
        """Pointers of pointers: ``files.fdt.fd[i].f_flags``."""
        b = self.b
        file = self.struct("file", 16, [("f_flags", self.u32, 0), ("f_pos", self.s64, 8)])
        table = self.struct(
            "fdtable", 16, [("max_fds", self.u32, 0), ("fd", b.ptr(b.ptr(file)), 8)]
        )
        members = [("count", self.s32, 0), ("in", self.u32, 4), ("fdt", b.ptr(table), 8)]
        return self.struct("files_struct", 16, members)

    def task(self) -> int:
        """struct task_struct: a pointer to its own kind, text, bit fields, an anonymous union, user memory."""
        b = self.b
        files, comm = b.ptr(self.files()), b.array(self.char, self.u32, 16)
        codes = b.union("", 4, [Member("exit_code", self.s32, 0), Member("exit_mask", self.u32, 0)])
        state = b.enum("task_state", [("RUNNING", 0), ("DEAD", 7)])
        ticks = b.array(self.u64, self.u32, 4)
        number, ratio = b.ptr(self.u64), b.floating("double", 8)
        user = b.ptr(b.type_tag("user", self.char))
        itself = b.ptr(user + 2)  # the next type but one
        made = b.struct(
            "task_struct",
            128,
            [
                Member("pid", self.s32, 0),
                Member("tgid", self.s32, 32),
                Member("real_parent", itself, 64),
                Member("comm", comm, 128),
                Member("files", files, 256),
                Member("", codes, 320),
                Member("state", state, 352),
                Member("ticks", ticks, 384),
                Member("counter", number, 640),
                Member("argument", user, 704),
                Member("start_time", self.u64, 768),
                Member("in_execve", self.u32, 832, 1),
                Member("policy", self.u32, 833, 5),
                Member("nice", self.s32, 838, 6),
                Member("stack", self.void, 896),
                Member("ratio", ratio, 960),
            ],
        )
        assert made == user + 2
        return made

    def contexts(self, task: int) -> None:
        """What programs are given."""
        b = self.b
        self.words(
            "xdp_md",
            (
                "data",
                "data_end",
                "data_meta",
                "ingress_ifindex",
                "rx_queue_index",
                "egress_ifindex",
            ),
        )
        self.words("__sk_buff", ("len", "pkt_type", "mark", "ifindex", "data", "data_end"))
        address = b.array(self.u32, self.u32, 4)
        self.struct(
            "bpf_sock_addr",
            28,
            [
                ("user_family", self.u32, 0),
                ("user_ip4", self.u32, 4),
                ("user_ip6", address, 8),
                ("user_port", self.u32, 24),
            ],
        )
        self.struct(
            "bpf_perf_event_data", 16, [("sample_period", self.u64, 0), ("addr", self.u64, 8)]
        )
        seq = b.ptr(self.struct("seq_file", 8, [("count", self.u64, 0)]))
        meta = b.ptr(
            self.struct("bpf_iter_meta", 16, [("seq", seq, 0), ("session_id", self.u64, 8)])
        )
        self.struct("bpf_iter__task", 16, [("meta", meta, 0), ("task", b.ptr(task), 8)])

    def functions(self, task: int) -> None:
        """Functions with types, the registers that they are called with, and what a socket's context has."""
        b = self.b
        filename = b.ptr(self.struct("filename", 16, [("name", b.ptr(self.char), 0)]))
        b.func(
            "do_unlinkat", b.prototype(self.s32, [Param("dfd", self.s32), Param("name", filename)])
        )
        b.func("do_rmdir", b.prototype(self.s32, [Param("dfd", self.s32), Param("why", self.s64)]))
        b.func("forgets", b.prototype(0, [Param("task", b.ptr(task))]))
        many = [Param(f"a{i}", self.u64) for i in range(7)]
        pair = self.struct("pair", 16, [("first", self.u64, 0), ("second", self.u64, 8)])
        mixed = [Param("a", self.s32), Param("pair", pair), Param("b", self.s32)]
        b.func("takes_a_struct", b.prototype(0, mixed))
        b.func("takes_many", b.prototype(self.u64, many))
        b.func("bpf_lsm_file_open", b.prototype(self.s32, [Param("task", b.ptr(task))]))
        b.func("bpf_lsm_known", b.prototype(self.bool, [Param("task", b.ptr(task))]))
        b.func("bpf_lsm_forgets", b.prototype(0, [Param("task", b.ptr(task))]))
        b.func("bpf_iter_task", b.prototype(self.s32, []))
        names = (
            "r15",
            "r14",
            "r13",
            "r12",
            "bp",
            "bx",
            "r11",
            "r10",
            "r9",
            "r8",
            "ax",
            "cx",
            "dx",
        )
        words = (*names, "si", "di", "orig_ax", "ip", "cs", "flags", "sp", "ss")
        fields = [(name, self.u64, 8 * i) for i, name in enumerate(words)]
        self.registers = b.ptr(self.struct("pt_regs", 168, fields))
        self.event("test_finish", b.ptr(self.s32))
        sock = b.ptr(self.struct("bpf_sock", 8, [("family", self.u32, 0), ("type", self.u32, 4)]))
        ends = [("data", self.void, 0), ("data_end", self.void, 8), ("sk", sock, 16)]
        self.struct("sk_msg_md", 32, [*ends, ("size", self.u32, 24)])

    def socket(self) -> int:
        """struct sock, with numbers in network order."""
        port, address = (
            self.b.typedef("__be16", self.u16),
            self.b.qualified(Kind.CONST, self.b.typedef("__be32", self.u32)),
        )
        fields = [("sk_state", self.u8, 0), ("sk_mark", self.u32, 4), ("sk_dport", port, 8)]
        whole = self.b.array(address, self.u32, 4)
        return self.struct("sock", 32, [*fields, ("sk_daddr", address, 12), ("sk_v6", whole, 16)])

    def tables(self, sock: int) -> None:
        """A table of functions that programs fill."""
        b = self.b
        self.struct("tcp_sock", 32, [("srtt_us", self.u32, 0), ("cwnd", self.u32, 4)])
        asked = b.ptr(b.prototype(self.u32, [Param("sk", sock)]))
        name = b.array(self.char, self.u32, 16)
        members = [("ssthresh", asked, 0), ("flags", self.u32, 8), ("name", name, 12)]
        table = self.struct("tcp_congestion_ops", 32, members)
        self.struct("bpf_struct_ops_tcp_congestion_ops", 64, [("data", table, 32)])

    def offered(self, task: int) -> None:
        """Functions that programs may call."""
        b, ratio = self.b, self.b.floating("float", 4)
        order = b.typedef("__be16", self.u16)
        self.struct("bpf_list_node", 24, [])
        b.enum("bpf_arg_type", [("ARG_KPTR_XCHG_DEST", 20)])
        inner = self.struct("inner", 8, [("low", self.u32, 0), ("high", self.u32, 4)])
        parts = [("numbers", b.array(self.u16, self.u32, 4), 0), ("inner", inner, 8)]
        each = b.ptr(self.struct("bpf_iter_each", 16, []))
        kern = b.ptr(self.struct("bpf_sock_ops_kern", 8, []))
        sums = b.ptr(self.struct("sums", 16, parts))
        for name, result, params in (
            ("bpf_task_from_pid", task, [("pid", self.s32)]),
            ("bpf_task_release", 0, [("p", task)]),
            *((name, 0, []) for name in SECTIONS),
            ("bpf_local_irq_save", 0, [("flags__irq_flag", b.ptr(self.u64))]),
            ("bpf_local_irq_restore", 0, [("flags__irq_flag", b.ptr(self.u64))]),
            ("bpf_obj_new_impl", self.void, [("id__k", self.u64), ("meta__ign", self.void)]),
            (
                "bpf_percpu_obj_new_impl",
                self.void,
                [("id__k", self.u64), ("meta__ign", self.void)],
            ),
            ("bpf_iter_each_new", self.s32, [("it", each), ("task", task), ("flags", self.u32)]),
            ("bpf_iter_each_next", task, [("it", each)]),
            ("bpf_iter_each_destroy", 0, [("it", each)]),
            ("bpf_stamp", self.s32, [("skops", kern)]),
            ("bpf_scale", self.s32, [("by", ratio)]),
            ("bpf_page_of", self.s32, [("address", self.u64)]),
            ("bpf_counted_by", self.s32, [("by", b.ptr(self.u32))]),
            ("bpf_port", order, [("port", order)]),
            ("bpf_sums", self.s32, [("sums", sums)]),
            (
                "bpf_attribute",
                self.s32,
                [("task", task), ("name__str", b.ptr(b.qualified(Kind.CONST, self.char)))],
            ),
            (
                "bpf_tell",
                self.u32,
                [
                    ("data", self.void),
                    ("data__sz", self.u32),
                    ("p__nullable", task),
                    ("x__prog", task),
                ],
            ),
        ):
            b.func(name, b.prototype(result, [Param(one, kind) for one, kind in params]))

    def variables(self, task: int) -> None:
        """Variables: of each CPU a struct, a number and one that programs do not know, and one of the whole kernel."""
        b = self.b
        queue = self.struct("rq", 16, [("nr_running", self.u32, 0), ("curr", b.ptr(task), 8)])
        kinds = {
            "runqueues": queue,
            "bpf_prog_active": self.s32,
            "load_ratio": b.floating("double", 8),
        }
        listed = [b.var(name, kind) for name, kind in kinds.items()]
        b.var("init_task", task)
        self.struct("vm_area_struct", 16, [("vm_start", self.u64, 0), ("vm_end", self.u64, 8)])
        b.datasec(".data..percpu", 32, [Section(one, 8 * i, 8) for i, one in enumerate(listed)])

    def build(self) -> Btf:
        """The whole."""
        b = self.b
        task = self.task()
        self.contexts(task)
        self.functions(task)
        pointer = b.ptr(b.qualified(Kind.CONST, task))
        sock = b.ptr(self.socket())
        self.tables(sock)
        self.event("sched_process_exec", pointer, self.s32, sock)
        self.event("sched_switch", self.bool, pointer, pointer, self.u32)
        self.event("sys_enter", self.registers, self.s64)
        self.event("sys_exit", self.registers, self.s64)
        self.event("tcp_test", b.typedef("__be32", self.u32))
        self.offered(b.ptr(task))
        self.group()
        self.variables(task)
        b.enum("tcp_state", [("TCP_ESTABLISHED", 1), ("TCP_LISTEN", 10)])
        b.enum("", [("BPF_ANY", 0), ("BPF_NOEXIST", 1), ("OPT_ERROR", 3)])
        b.enum("", [("OPT_ERROR", 4)])
        b.typedef("kuid_t", b.struct("", 4, [Member("val", self.u32, 0)]))
        return Btf(b.build())


def ways(target: str) -> tuple[str, ...]:
    """The static probes: one with arguments in two ways, one in a place that cannot be read, and no binary."""
    if target.startswith("nowhere:"):
        raise BadInput("nowhere", "there is no program and no library of that name", "give a path")
    found = {
        "app:skep:two": ("-4@%eax 8@-24(%rbp) 1@$7", "-4@8(%rsp,%rcx,4) 8@%r12"),
        "app:skep:vector": ("8f@%xmm0",),
        "app:skep:strange": ("8@%xmm0",),
    }
    return found.get(target, ())


def modules(name: str) -> KernelTypes | None:
    """The types of the one module that is loaded: a struct of its own, and a function whose name the kernel has too."""
    if name != "veth":
        return None
    base = _TYPES.btf
    b = Builder(base.count, base.string_end)
    word, number = base.find(Kind.INT, "long unsigned int"), base.find(Kind.INT, "int")
    assert word is not None
    assert number is not None
    queue = b.ptr(b.struct("veth_rq", 16, [Member("dev", word, 0), Member("dropped", word, 64)]))
    listed = b.var("veth_queue", queue - 1)
    b.datasec(".data..percpu", 16, [Section(listed, 0, 16)])
    b.func("veth_poll", b.prototype(number, [Param("rq", queue), Param("budget", number)]))
    b.func("do_unlinkat", b.prototype(0, [Param("rq", queue)]))
    b.func("bpf_veth_rq", b.prototype(queue, [Param("number", number)]))
    b.func("bpf_veth_put", b.prototype(0, [Param("rq", queue)]))
    return KernelTypes(Btf(b.build(), base), name, modules)


_TYPES = KernelTypes(_Kernel().build(), modules=modules)


def holders(function: str) -> list[str]:
    """The modules that have a function."""
    return ["veth"] if function in ("veth_poll", "bpf_veth_rq") else []


TARGET = Target(_TYPES, "v3", formats, usdt=ways, events=events, modules=modules, holders=holders)
