"""The rejections of what programs open and close by functions of the kernel: rows for the table in ``rejections``.

Sections of RCU, and those without preemption or interrupts; dynptrs and iterators, which lie in a program's own memory.
"""

from skep.kernel.rejection import Rejection

_REGION = r"in (?:an? )?(?:rcu_read_lock|non-preemptible|IRQ-disabled)"
_EVERY = "on every path before this line"

SECTIONS: tuple[Rejection, ...] = (
    Rejection(
        rf"sleepable .*{_REGION} region|is sleepable within|functions that may sleep are not allowed",
        "{call} may wait, which nothing may in an RCU section, or while preemption or interrupts are off",
        "call it before the section begins, or behind its end",
    ),
    Rejection(
        r"must be sleepable to call",
        "{call} may wait, and programs of kind {kind} may not",
        "call it in a program with sleepable=True, or in a syscall_program()",
    ),
    Rejection(
        r"requires RCU critical section|must be called in RCU",
        "{call} works in an RCU section only",
        f"call bpf_rcu_read_lock() {_EVERY}, and bpf_rcu_read_unlock() behind the use",
    ),
    Rejection(
        r"bpf_rcu_read_unlock is missing|bpf_rcu_read_lock-ed region",
        "an RCU section is still open here",
        f"call bpf_rcu_read_unlock() {_EVERY}",
    ),
    Rejection(
        r"bpf_preempt_enables? (?:is|are) missing|bpf_preempt_disable-ed region",
        "preemption is still disabled here",
        f"call bpf_preempt_enable() {_EVERY}, as often as bpf_preempt_disable()",
    ),
    Rejection(
        r"bpf_local_irq_save-ed region|bpf_local_irq_restore is missing",
        "interrupts are still disabled here",
        f"call bpf_local_irq_restore(flags) {_EVERY}",
    ),
    Rejection(
        r"nested rcu read lock",
        "an RCU section is begun within another, which this kernel does not know",
        "begin it once: the one that is open covers what stands in it",
    ),
    Rejection(
        r"unmatched rcu read unlock",
        "an RCU section is ended that was not begun",
        f"call bpf_rcu_read_lock() {_EVERY}",
    ),
    Rejection(
        r"unmatched attempt to enable preemption",
        "preemption is enabled that was not disabled",
        f"call bpf_preempt_disable() {_EVERY}",
    ),
    Rejection(
        r"cannot restore irq state out of order",
        "interrupts are restored in another order than they were saved",
        "restore first what was saved last",
    ),
    Rejection(
        r"expected an initialized irq flag",
        "interrupts are restored from memory in which no bpf_local_irq_save() left them",
        "restore them once, from the memory that was given to bpf_local_irq_save()",
    ),
)
"""They stand before the rows of locks."""

HELD: tuple[Rejection, ...] = (
    Rejection(
        r"(?i)expected an initialized dynptr|expected a dynptr of type",
        "{call} takes a dynptr, and this memory holds none",
        f'make it {_EVERY}, as by skep.kfunc("bpf_dynptr_from_skb"), and write nothing over it',
    ),
    Rejection(
        r"expected an initialized iter_(?P<name>\w+)",
        "{call} takes an iterator that was begun, and this memory holds none",
        f"call bpf_iter_{{name}}_new() {_EVERY}, and bpf_iter_{{name}}_destroy() once, behind the last use",
    ),
    Rejection(
        r"expected uninitialized iter_(?P<name>\w+)",
        "the memory that {call} gets holds an iterator that was not ended",
        "call bpf_iter_{name}_destroy() before, or give each iterator memory of its own",
    ),
    Rejection(
        r"must be a known constant|is not a known constant|has to be a known constant",
        "{call} takes a number here that is known while compiling",
        "give it a constant, the most that is needed",
    ),
    Rejection(
        r"doesn't point to a map value",
        "{call} takes memory in a map's value",
        "make it a field of a map's value, and look that up",
    ),
    Rejection(
        r"require device-bound program",
        "what is called here works in programs that are bound to a device",
        'say for which one it is: @skep.xdp(device="eth0")',
    ),
)
"""They stand before the rows of kernel objects."""
