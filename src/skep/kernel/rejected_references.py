"""The rejections of what programs acquire and give back, objects and records: rows for the table in ``rejections``."""

from skep.kernel.rejection import Rejection

ACQUIRED: tuple[Rejection, ...] = (
    Rejection(
        r"Unreleased reference id=\d+ alloc_insn=(?P<origin>\d+)\ntail_call would lead to",
        "{acquired} is still held where the program goes on in another",
        "{release}, and before tail_call()",
    ),
    Rejection(
        r"Unreleased reference id=\d+ alloc_insn=(?P<origin>\d+)",
        "{acquired} is still held where bpf_throw() ends the program",
        "{release}, and before bpf_throw()",
        call=r"throw",
    ),
    Rejection(
        r"Unreleased reference id=\d+ alloc_insn=(?P<origin>\d+)"
        r"|resource \(id=\d+\) was acquired at instruction (?P<reported>\d+)",
        "{acquired} is still held where the program returns",
        "{release}",
    ),
    Rejection(
        r"expects refcounted|must be referenced when passed to|is an unacquired reference",
        "{call} releases an object that this program did not acquire",
        "release only what a function acquired for this program, once",
    ),
    Rejection(
        r"R\d type=(?P<type>\S+) expected=(?:ringbuf|alloc)_mem",
        "submit() and discard() take a record that reserve() gave, not {type}",
        "call them on the variable that reserve() was assigned to, once",
    ),
    Rejection(
        r"R\d type=(?:scalar|inv) expected=(?:sock|ptr|tcp|xdp)|must be referenced when passed to",
        "an object is given back twice, or used after it was given back",
        "give it back once, behind its last use, also where functions give it back",
        after=r"_release$",
    ),
    Rejection(
        r"mem access '(?:scalar|inv)'|an integer scalar here",
        "a record is used after its submit() or discard(), or a number is used as an address",
        "set all fields before submit(); for an address, use skep.probe_read_kernel(...)",
        after=r"ringbuf_(?:submit|discard)",
    ),
    Rejection(
        r"mem access '(?:scalar|inv)'|an integer scalar here",
        "an object is used after it was released",
        "read what you need of it into variables before it is released",
        after=r"_release$",
    ),
)
