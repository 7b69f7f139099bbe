"""Timers in values of maps, and work."""

from collections.abc import Callable

from skep.lang.emit.function import Value, Writer
from skep.lang.emit.operands import operands, result
from skep.lang.tree import MapCall

INIT, SET_CALLBACK, START, CANCEL = 169, 170, 171, 172
MONOTONIC = 1
WORK = {
    "bpf_wq_init": "ptr, ptr, i32",
    "bpf_wq_set_callback_impl": "ptr, ptr, i32, ptr",
    "bpf_wq_start": "ptr, i32",
}
"""The kernel's functions for work, and what they take."""


def start(w: Writer, node: MapCall) -> Value:
    """The timer runs a function later, once; a timer that is there already is not made again."""
    timer, nanoseconds, flags, *function = operands(w, node)
    if function:
        w.helper(INIT, f"ptr {timer}, ptr {w.map(node.map)}, i64 {MONOTONIC}")
        w.helper(SET_CALLBACK, f"ptr {timer}, ptr {function[0]}")
    return Value(result(w, w.helper(START, f"ptr {timer}, i64 {nanoseconds}, i64 {flags}")))


def cancel(w: Writer, node: MapCall) -> Value:
    """The timer rests."""
    (timer,) = operands(w, node)
    return Value(result(w, w.helper(CANCEL, f"ptr {timer}")))


def work(w: Writer, node: MapCall) -> Value:
    """A function is run soon, where it may wait."""
    place, function = operands(w, node)
    for name, kinds in WORK.items():
        w.module.kernel.setdefault(name, f'declare i32 @{name}({kinds}) section ".ksyms"')
    w.get(f"call i32 @bpf_wq_init(ptr {place}, ptr {w.map(node.map)}, i32 0)")
    w.get(f"call i32 @bpf_wq_set_callback_impl(ptr {place}, ptr {function}, i32 0, ptr null)")
    return Value(w.get(f"call i32 @bpf_wq_start(ptr {place}, i32 0)"))


def given_to_task(name: str) -> Callable[[Writer, MapCall], Value]:
    """A task runs a function on its way back to its program."""

    def write(w: Writer, node: MapCall) -> Value:
        place, task, function = operands(w, node)
        kinds = "ptr, ptr, ptr, ptr, ptr"
        w.module.kernel.setdefault(name, f'declare i32 @{name}({kinds}) section ".ksyms"')
        args = f"ptr {task}, ptr {place}, ptr {w.map(node.map)}, ptr {function}, ptr null"
        return Value(w.get(f"call i32 @{name}({args})"))

    return write


CALLS: dict[str, Callable[[Writer, MapCall], Value]] = {
    "timer_start": start,
    "timer_cancel": cancel,
    "work_start": work,
    "task_start": given_to_task("bpf_task_work_schedule_resume_impl"),
    "task_interrupt": given_to_task("bpf_task_work_schedule_signal_impl"),
}
