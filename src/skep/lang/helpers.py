"""The table of kernel helpers: a helper is one row, named as in the kernel without ``bpf_`` and numbered as in bpf.h.

Arguments are in C's order. Where a buffer is followed by its size, a program may leave the size out: it is then that of
the buffer. A helper is a value of the language; in plain Python a run binds fakes in its place (``skep.testing``).
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from skep.lang.types import IntType, s32, s64, u32, u64


class Arg(Enum):
    """What a helper takes in one argument."""

    CONTEXT = "the program's context"
    INT = "an integer"
    MAP = "a map"
    OUT = "memory that is written"
    IN = "memory that is read"
    SIZE = "the size of the memory before it, in bytes"
    ADDRESS = "an address that is only followed safely"
    KERNEL = "a kernel object"


@dataclass(frozen=True, slots=True)
class KernelResult:
    """A helper's result that points to a kernel struct; ``probe``: not to be dereferenced directly."""

    struct: str
    nullable: bool = False
    probe: bool = False


@dataclass(frozen=True, slots=True)
class Helper:
    """A row: name, number, arguments, result, the release it came in, and what it does.

    ``partial``: it may leave bytes of the memory that it writes as they were.
    """

    name: str
    number: int
    args: tuple[Arg, ...]
    result: IntType | KernelResult
    since: str
    doc: str
    partial: bool = False

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self, *_: Any) -> Any:
        """Refuse: a helper exists in the kernel only."""
        raise TypeError(
            f"{self.name}() runs in the kernel; in plain Python, call the program by .py(...)"
        )


C, I, M, O, R, S, A, K = (  # noqa: E741 - a column of letters reads as a table
    Arg.CONTEXT,
    Arg.INT,
    Arg.MAP,
    Arg.OUT,
    Arg.IN,
    Arg.SIZE,
    Arg.ADDRESS,
    Arg.KERNEL,
)

HELPERS: dict[str, Helper] = {
    row.name: row
    for row in (
        Helper(
            "probe_read_user",
            112,
            (O, S, A),
            s64,
            "5.5",
            "Copy from user memory; zeroes on a fault.",
        ),
        Helper(
            "probe_read_kernel",
            113,
            (O, S, A),
            s64,
            "5.5",
            "Copy from kernel memory; zeroes on a fault.",
        ),
        Helper(
            "probe_read_user_str",
            114,
            (O, S, A),
            s64,
            "5.5",
            "Copy a string from user memory; its size with NUL.",
            partial=True,
        ),
        Helper(
            "probe_read_kernel_str",
            115,
            (O, S, A),
            s64,
            "5.5",
            "Copy a string from kernel memory.",
            partial=True,
        ),
        Helper("ktime_get_ns", 5, (), u64, "4.1", "Monotonic time in ns, without time suspended."),
        Helper(
            "ktime_get_boot_ns",
            125,
            (),
            u64,
            "5.7",
            "Time since boot in ns, suspended time included.",
        ),
        Helper("get_prandom_u32", 7, (), u32, "4.1", "A pseudo-random number."),
        Helper("get_smp_processor_id", 8, (), u32, "4.1", "The CPU that runs the program."),
        Helper(
            "get_current_pid_tgid", 14, (), u64, "4.2", "tgid << 32 | pid, in the kernel's words."
        ),
        Helper("get_current_uid_gid", 15, (), u64, "4.2", "gid << 32 | uid."),
        Helper("get_current_comm", 16, (O, S), s64, "4.2", "The task's name, 16 bytes."),
        Helper(
            "get_current_task",
            35,
            (),
            KernelResult("task_struct", probe=True),
            "4.8",
            "The current task.",
        ),
        Helper(
            "get_current_task_btf",
            158,
            (),
            KernelResult("task_struct"),
            "5.11",
            "The current task.",
        ),
        Helper("get_current_cgroup_id", 80, (), u64, "4.18", "The task's cgroup v2 id."),
        Helper(
            "get_current_ancestor_cgroup_id",
            123,
            (I,),
            u64,
            "5.6",
            "The id of its ancestor at a level.",
        ),
        Helper(
            "get_stackid", 27, (C, M, I), s64, "4.6", "The id of the stack in a stack-trace map."
        ),
        Helper(
            "get_stack", 67, (C, O, S, I), s64, "4.18", "The stack's addresses; the bytes written."
        ),
        Helper(
            "get_task_stack",
            141,
            (K, O, S, I),
            s64,
            "5.9",
            "A task's stack; the bytes written.",
            partial=True,  # all or, where the task has no stack any more, nothing
        ),
        Helper(
            "get_socket_cookie", 46, (K,), u64, "4.12", "A number that names a socket for its life."
        ),
        Helper(
            "skc_to_tcp_sock",
            137,
            (K,),
            KernelResult("tcp_sock", nullable=True),
            "5.9",
            "A socket as TCP's.",
        ),
        Helper("send_signal", 109, (I,), s64, "5.3", "Signal the current process."),
        Helper("seq_write", 127, (K, R, S), s64, "5.7", "Write bytes to an iterator's file."),
        Helper("redirect", 23, (I, I), s64, "4.4", "Send the packet out of a device."),
        Helper("skb_load_bytes", 26, (C, I, O, S), s64, "4.5", "Copy bytes of a packet."),
        Helper("skb_store_bytes", 9, (C, I, R, S, I), s64, "4.1", "Write bytes into a packet."),
        Helper("skb_pull_data", 39, (C, I), s64, "4.9", "Make the first bytes directly readable."),
        Helper("skb_cgroup_id", 79, (C,), u64, "4.18", "The cgroup id of the packet's socket."),
        Helper("xdp_adjust_head", 44, (C, I), s32, "4.10", "Move the start of the packet."),
        Helper("set_retval", 187, (I,), s64, "5.18", "The errno that the refused call returns."),
        Helper("get_retval", 186, (), s64, "5.18", "The errno that the call would return."),
        Helper(
            "tail_call",
            12,
            (C, M, I),
            s64,
            "4.2",
            "Go on in another program; returns only when it fails.",
        ),
        Helper("ringbuf_output", 130, (M, R, S, I), s64, "5.8", "Copy bytes into a ring."),
        Helper("jiffies64", 118, (), u64, "5.5", "The kernel's tick."),
        Helper("get_numa_node_id", 42, (), s32, "4.10", "The NUMA node."),
        Helper(
            "perf_prog_read_value",
            56,
            (C, O, S),
            s64,
            "4.15",
            "The counter of a perf_event program.",
        ),
        Helper(
            "get_attach_cookie",
            174,
            (C,),
            u64,
            "5.15",
            "The number given when the program was attached.",
        ),
    )
}
