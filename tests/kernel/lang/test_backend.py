"""What the back half of the compiler makes is what the kernel takes, runs, and shows."""

import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from skep.btf.reader import Btf
from skep.kernel import commands
from skep.kernel.bpf import DOOR
from skep.kernel.maps import Map
from skep.kernel.preparing import resolve
from skep.kernel.programs import Program
from skep.lang.debuginfo import loadable
from skep.lang.disasm import Names, instructions
from skep.lang.helpers import HELPERS
from skep.lang.kinds import KINDS
from skep.lang.lines import Lines
from skep.lang.linked import CONSTANTS, Linked
from skep.lang.spec import MapReference, MapSpec, MapType, ProgramSpec
from skep.lang.types import u8, u32, u64
from skep.program.machine import Machine
from tests.unit.lang.modules import linked
from tests.unit.lang.test_debuginfo import EXTERN, KSYMS, NUMBER, PROTO, VAR, blob, kind

pytestmark = pytest.mark.native("the compiler is not in a virtual machine")

COUNTS = MapSpec("counts", MapType.HASH, u32, u64, 4)
STATE = MapSpec("state", MapType.ARRAY, u32, u64[2], 1, 1 << 10)
TEXT = MapSpec("text", MapType.ARRAY, u32, u8[16], 1)
MAPS = {"map.0": (0, False), "map.1": (1, True), CONSTANTS: (2, True)}
RESULT = (5 * 3 ^ 77) + 1000 + 10 + sum(b"0123456789")


def spec_of(made: Linked) -> ProgramSpec:
    """A program on a raw tracepoint, of linked code."""
    references = tuple(
        MapReference(r.insn, MAPS[r.symbol][0], r.addend if MAPS[r.symbol][1] else None)
        for r in made.references
    )
    return ProgramSpec(
        "everything", KINDS["raw_tp"], "sys_enter", "GPL", made.insns, references, made.kfuncs,
        (COUNTS, STATE, TEXT), made.btf, made.func_info, made.line_info,
    )  # fmt: skip


@pytest.fixture(scope="module")
def btf() -> Btf:
    return Machine().btf


@contextmanager
def maps(made: Linked) -> Iterator[list[Map]]:
    """The maps of ``everything``, filled."""
    with Map.create(COUNTS) as counts, Map.create(STATE) as state, Map.create(TEXT) as text:
        counts[0] = 5
        state[0] = [0, 1000]
        text.put(bytes(4), made.constants)
        yield [counts, state, text]


@pytest.mark.requires("kfunc.bpf_iter_num_new")
def test_maps_constants_subprograms_callbacks_and_kernel_functions_work(btf: Btf) -> None:
    made = linked("everything")
    with maps(made) as held, Program.load(spec_of(made), held, btf) as program:
        assert program.test_run(ctx=bytes(16)).retval == RESULT
        assert program.info().name == "everything"


def log_of(spec: ProgramSpec, held: list[Map], btf: Btf) -> str:
    """What the verifier says while it takes a program."""
    types = commands.btf_load(DOOR, spec.btf)
    code = resolve(spec, [one.fd for one in held], btf).code
    load = commands.Load(
        17, code, b"GPL\0", spec.name, 0, 0, types, spec.func_info, spec.line_info, 0
    )
    log = bytearray(1 << 20)
    DOOR.close(commands.prog_load(DOOR, load, log_level=2, log=log))
    DOOR.close(types)
    return log.split(b"\0", 1)[0].decode()


def shown(log: str) -> Iterator[tuple[int, str, str]]:
    """Each instruction of a log: its number, its text, and its source line."""
    source = ""
    for line in log.splitlines():
        if line.startswith("; "):
            source = line
        elif match := re.match(r"(\d+): \([0-9a-f]{2}\) (.*?)(?: *;.*| \d+: R.*)?$", line):
            yield int(match[1]), match[2], source


def alike(text: str) -> str:
    """Without what only the loaded program has: ids of kernel functions, addresses."""
    text = re.sub(r"#\d+$", "", text)
    return re.sub(r"= (0x[0-9a-f]+|subprog.*)$", "= ADDRESS", text)


@pytest.mark.requires("kfunc.bpf_iter_num_new")
def test_instructions_and_lines_are_shown_as_the_kernel_shows_them(btf: Btf) -> None:
    made = linked("everything")
    with maps(made) as held:
        log = log_of(spec_of(made), held, btf)
    helpers = {row.number: f"bpf_{row.name}" for row in HELPERS.values()} | {181: "bpf_loop"}
    helpers |= {1: "bpf_map_lookup_elem"}
    symbols = {kfunc.insn: kfunc.name for kfunc in made.kfuncs}
    ours = dict(instructions(made.insns, Names(helpers, symbols, {})))
    lines = Lines(made.line_info, made.btf)
    seen = set()
    for insn, text, source in shown(log):
        span = lines.at(insn)
        assert span is not None
        assert alike(text) == alike(ours[insn])
        assert source == f"; {span.text.strip()} @ {span.file}:{span.line}"
        seen.add(insn)
    assert seen == set(ours)


def test_types_that_the_kernel_refuses_are_taken_once_they_were_replaced() -> None:
    section = kind(KSYMS, 15, 1, 0, 4, 0, 4)
    given = blob(NUMBER, PROTO, EXTERN, kind(VAR, 14, 0, 1, 2), section)
    with pytest.raises(OSError, match="Invalid argument"):
        commands.btf_load(DOOR, given)
    DOOR.close(commands.btf_load(DOOR, loadable(given, "o")))


def test_debug_information_names_functions_in_the_order_of_the_code() -> None:
    made = linked("everything")
    types = Btf(made.btf)
    names = [types.name(type_id) for _, type_id in struct.iter_unpack("<II", made.func_info)]
    assert names == ["everything", "scramble", "step"]
