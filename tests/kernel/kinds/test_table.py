"""The tables of kinds and helpers against the kernel: numbers by name, each field of each context, helpers by kind."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest

from skep.btf.reader import Btf
from skep.btf.types import Field, Kind
from skep.kernel import commands
from skep.kernel.bpf import DOOR
from skep.kernel.commands import EXIT, Load
from skep.kernel.preparing import attach_id
from skep.lang.availability import works
from skep.lang.helpers import HELPERS, Helper
from skep.lang.kinds import KINDS
from skep.lang.spec import Context, Hook, ProgramKind
from skep.program.machine import Machine
from tests.kernel.kernel.samples import insn, program, returns

LOADS = {1: 0x71, 2: 0x69, 4: 0x61, 8: 0x79}
STORES = {1: 0x73, 2: 0x6B, 4: 0x63, 8: 0x7B}
DENIED = ("unknown func", "invalid func", "cannot use helper", "not allowed in probe")
TARGETS = {"btf_trace_": "sched_switch", "bpf_iter_": "task", "bpf_lsm_": "file_open"}
MEASURED = (6, 18)
UNASKED = ("freplace", "fmod_ret", "struct_ops")  # their targets decide
HOST = {"probe_write_user", "override_return"}  # lockdown and the configuration decide on these
SAMPLE = (
    *("ktime_get_ns", "get_current_comm", "redirect", "skb_load_bytes", "get_stackid", "sk_assign"),
    *("seq_write", "xdp_adjust_head", "sysctl_get_name", "tcp_sock", "get_attach_cookie", "bind"),
)


@pytest.fixture(scope="module")
def btf() -> Btf:
    return Machine().btf


def names(btf: Btf, enum: str) -> dict[int, str]:
    """The names of an enumeration by number, without that of its end."""
    return {n: name for n, name in btf.enum(enum).items() if not name.startswith("__MAX")}


def release() -> tuple[int, ...]:
    """The kernel's release: (6, 18)."""
    return tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])


def loaded(kind: ProgramKind, insns: bytes, btf: Btf) -> tuple[bool, str]:
    """Whether the kernel takes a program of a kind, and what the verifier says."""
    target = next((t for prefix, t in TARGETS.items() if kind.attach_prefix == prefix), "")
    spec = replace(program("xdp", target or "bpf_fentry_test1"), kind=kind)
    attach = 0 if kind.hook is Hook.TCX else kind.attach_type
    bound = attach_id(spec, btf)
    load = Load(
        kind.prog_type,
        insns,
        flags=kind.flags,
        expected_attach_type=attach,
        attach_btf_id=bound,
    )
    log = bytearray(1 << 14)
    try:
        fd = commands.prog_load(DOOR, load, log_level=1, log=log)
    except OSError:
        return False, log.split(b"\0", 1)[0].decode("ascii", "replace")
    os.close(fd)
    return True, ""


def kinds(btf: Btf) -> Iterator[ProgramKind]:
    """The kinds of which this kernel loads the smallest program."""
    for kind in KINDS.values():
        if kind.name not in UNASKED and loaded(kind, _smallest(kind), btf)[0]:
            yield kind


def _smallest(kind: ProgramKind) -> bytes:
    return returns(kind.default) if kind.default else EXIT


def test_the_numbers_of_the_kinds_are_those_of_the_kernel(btf: Btf) -> None:
    types, attaches = names(btf, "bpf_prog_type"), names(btf, "bpf_attach_type")
    golden = os.path.join(os.path.dirname(__file__), "../../golden/lang/kinds.txt")
    with open(golden, encoding="ascii") as file:
        wanted = dict(line.split(": ") for line in file.read().splitlines())
    assert set(wanted) == set(KINDS)
    for name, kind in KINDS.items():
        program_type, attach_type = wanted[name].split()
        assert types.get(kind.prog_type, program_type) == program_type
        if attach_type != "-":
            assert attaches.get(kind.attach_type, attach_type) == attach_type


@pytest.mark.native("asks the kernel for each field of each context")
def test_a_context_shows_and_takes_what_the_table_says(btf: Btf) -> None:
    wrong = []
    for kind in kinds(btf):
        struct = btf.find(Kind.STRUCT, kind.struct) if kind.context is Context.STRUCT else None
        for field in btf.fields(struct) if struct else ():
            wrong += _compared(kind, field, btf)
    assert not wrong


def _compared(kind: ProgramKind, field: Field, btf: Btf) -> list[str]:
    size = btf.size(field.type_id)
    size = 4 if size > 8 else size
    at, end = field.offset, _smallest(kind)
    if field.bitfield_size or size not in LOADS or kind.name == "perf_event":
        return []
    if kind.name.endswith("unix") and field.name == "user_port":
        return []  # the kernel lets it be read, though a local address has no port
    seen, _ = loaded(kind, insn(LOADS[size], 2, 1, at) + end, btf)
    taken, _ = loaded(kind, insn(0xB7, 2) + insn(STORES[size], 1, 2, at) + end, btf)
    return [
        f"{kind.name}: {field.name} {what}"
        for what, real, said in (
            ("is seen", seen, field.name not in kind.hides),
            ("is set", taken, field.name in kind.writes),
        )
        if real is not said
    ]


def accepted(kind: ProgramKind, helper: Helper, btf: Btf) -> bool:
    """Whether a program of that kind may call the helper, whatever else it did wrong."""
    taken, said = loaded(kind, insn(0x85, imm=helper.number) + _smallest(kind), btf)
    return taken or not any(word in said for word in DENIED)


def test_the_numbers_of_helpers_are_those_of_the_kernel(btf: Btf) -> None:
    known = {name: number for number, name in names(btf, "bpf_func_id").items()}
    for helper in HELPERS.values():
        since = tuple(int(part) for part in helper.since.split("."))
        assert known.get(f"BPF_FUNC_{helper.name}", helper.number) == helper.number
        assert (f"BPF_FUNC_{helper.name}" in known) is (since <= release()), helper.name


def misplaced(helpers: Iterable[Helper], btf: Btf) -> list[str]:
    """Where the table is wrong. It may say more than an older kernel takes, and never less than any."""
    families = {kind.family: kind for kind in kinds(btf)}
    found = []
    for kind in families.values():
        for helper in helpers:
            real, said = accepted(kind, helper, btf), works(helper, kind)
            if (real and not said) or (said and not real and release() >= MEASURED):
                found.append(f"{helper.name} in {kind.name}")
    return found


def test_helpers_work_in_the_kinds_that_the_table_says_and_in_no_other(btf: Btf) -> None:
    assert misplaced([HELPERS[name] for name in SAMPLE], btf) == []


@pytest.mark.native("asks the kernel six thousand times")
def test_each_helper_works_in_the_kinds_that_the_table_says(btf: Btf) -> None:
    assert misplaced([h for h in HELPERS.values() if h.name not in HOST], btf) == []
