"""``skep disasm``: the instructions of programs, with the Python lines that they came from. Needs no agent."""

import json
import os

import click

from skep.base.errors import BadInput
from skep.cli import user_file
from skep.cli.commands import examples
from skep.cli.objects import chosen, completing, listed, opened, or_files
from skep.cli.options import json_option
from skep.kernel import objects
from skep.kernel.bpf import DOOR
from skep.kernel.details import Code, disassembled, program_code
from skep.kernel.symbols import Symbols
from skep.lang.disasm import Line, lines, listing
from skep.lang.spec import ProgramSpec
from skep.program.machine import Machine
from skep.program.objects import compiled

MODULE = "__skep_disasm__"
Named = tuple[str, list[Line]]
"""A program's name, and its instructions."""


@click.command(
    epilog=examples(
        "skep disasm examples/01_hello.py", "skep disasm mine.py on_open", "skep disasm 42"
    )
)
@click.argument(
    "what", metavar="FILE|ID|NAME", shell_complete=or_files(completing(objects.programs))
)
@click.argument("program", required=False)
@json_option
def command(*, what: str, program: str | None, as_json: bool) -> None:
    """Show instructions below the lines of source that they came from.

    Of the programs of a Python FILE (or of one PROGRAM of it) as they are compiled for this kernel; or of
    a loaded program of this machine, by ID or NAME, as the kernel rewrote it.
    """
    of_file = what.endswith(".py") or os.path.sep in what or os.path.exists(what)
    found = _of_file(what, program) if of_file else _loaded(what)
    if as_json:
        programs = [{"name": name, "instructions": [*map(_row, code)]} for name, code in found]
        click.echo(json.dumps({"programs": programs}, indent=2))
        return
    click.echo("\n".join(listing(code) for _, code in found), nl=False)


def _row(line: Line) -> dict[str, str | int]:
    source = line.source
    at: dict[str, str | int] = {"at": line.at, "text": line.text}
    begins: dict[str, str | int] = {"function": line.function} if line.function else {}
    if source is None:
        return at | begins
    return at | begins | {"file": source.file, "line": source.line, "source": source.text.strip()}


def _of_file(path: str, name: str | None) -> list[Named]:
    source = user_file.read(path)
    user_file.has_main(source, path)
    programs = user_file.require_programs(user_file.execute(source, path, MODULE), path)
    chosen_ones = [one for one in programs if name in (None, one.name)]
    if not chosen_ones:
        known = ", ".join(one.name for one in programs)
        raise BadInput(path, f"it defines no program {name!r}", f"there are {known}")
    machine = Machine()
    helpers = _helpers(machine)
    made = compiled(chosen_ones, machine)
    return [
        (program.name, _compiled(one.spec, helpers))
        for program, one in zip(chosen_ones, made, strict=True)
    ]


def _helpers(machine: Machine) -> dict[int, str]:
    names = machine.btf.enum("bpf_func_id")
    return {number: name.removeprefix("BPF_FUNC_") for number, name in names.items()}


def _compiled(spec: ProgramSpec, helpers: dict[int, str]) -> list[Line]:
    symbols = {
        one.insn: f"{spec.maps[one.index].name}{f' + {one.offset}' if one.offset else ''}"
        for one in spec.references
    }
    return lines(
        spec.insns,
        btf=spec.btf,
        func_info=spec.func_info,
        line_info=spec.line_info,
        helpers=helpers,
        symbols=symbols
        | {one.insn: one.name for one in spec.kfuncs}
        | {one.insn: one.name for one in spec.variables}
        | {one.insn: one.name for one in spec.addresses},
    )


def _loaded(word: str) -> list[Named]:
    one = chosen("prog", word, listed("programs", objects.programs(DOOR)))
    names = {info.id: info.name for info in listed("maps", objects.maps(DOOR))}
    with opened("prog", word, one.id) as fd:
        code = program_code(DOOR, fd)
    return [(one.name, _rewritten(word, code, names))]


def _rewritten(word: str, code: Code, names: dict[int, str]) -> list[Line]:
    """The code as the kernel has it. BadInput where it hides that."""
    if not code.insns:
        hint = (
            "run it as root; code that the JIT blinds is hidden even then by kernel.kptr_restrict=2"
        )
        raise BadInput(f"prog {word}", "the kernel does not show its code to this process", hint)
    symbols = Symbols()
    return disassembled(code, Machine().btf, names, lambda at: _function(symbols, at))


def _function(symbols: Symbols, address: int) -> str:
    """The function that begins at an address."""
    return symbols.name(address).partition("+")[0]
