"""The one door to llvmlite: a script that turns LLVM text into objects, in its own process.

LLVM answers many errors by ending its process, so skep never imports this file: ``backend`` runs it
as ``python -I -S llvm.py DIRECTORY`` (DIRECTORY holds the package llvmlite), and it lives for one
load. It imports the standard library and llvmlite only.

Standard input, for each module: cpu (eight bytes, zeros behind: "v3", "v4" of BPF; "x86_64",
"aarch64" of a function for the processor itself), length of the text (u32, little-endian), text;
until end of file. Standard output, for each module in order: b"o" and the object, or b"e" and an
error text, with its length (u32) between the two. Before each module a NUL goes to standard error,
so that what LLVM prints last belongs to that module.
"""

import os
import re
import resource
import signal
import struct
import sys
from typing import BinaryIO

sys.path.append(sys.argv[1])

import llvmlite.binding as llvm  # noqa: TID251 - the door

TRIPLE = "bpfel"
DATA_LAYOUT = "e-m:e-p:64:64-i64:64-i128:128-n32:64-S128"
PROCESSORS = {"x86_64": "x86-64", "aarch64": "generic"}
"""The least processor of each machine, as LLVM names it: what one compiles may run on another, from a shared cache."""
LOOP = "\nhead"
"""What the text of a module with loops has: the block in which one begins is named so."""
LOCAL = "\ndefine internal"
"""What the text of a module with functions has that the program calls."""
_PHI = re.compile(r"= phi (ptr|i\d+) .*")
_NOTHING = re.compile(r"(?<=\[ )(?:poison|undef)(?=,)")
_RANGE = re.compile(r" range\(i\d+ -?\d+, -?\d+\)(?= )")
_REQUEST = struct.Struct("<8sI")
_ANSWER = struct.Struct("<cI")


def machine(cpu: str) -> llvm.TargetMachine:
    """LLVM's target of a cpu. The wheel exports no narrower call than the one for all targets (2 ms)."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    if cpu in PROCESSORS:
        target = llvm.Target.from_triple(f"{cpu}-unknown-linux-gnu")
        return target.create_target_machine(
            cpu=PROCESSORS[cpu], opt=2, reloc="pic", codemodel="small"
        )
    return llvm.Target.from_triple(TRIPLE).create_target_machine(cpu=cpu, opt=2)


def options() -> llvm.PipelineTuningOptions:
    """Level 2; no vectors, which BPF lacks, and no unrolling, which costs verifier time."""
    tuning = llvm.create_pipeline_tuning_options(speed_level=2)
    tuning.loop_unrolling = False
    tuning.loop_interleaving = False
    tuning.loop_vectorization = False
    tuning.slp_vectorization = False
    return tuning


def emit(text: str, target: llvm.TargetMachine) -> bytes:
    """The object of a module. With another layout than BPF's it would be wrong without a word."""
    module = llvm.parse_assembly(text, llvm.create_context())
    found = (module.triple, module.data_layout)
    if found != (TRIPLE, DATA_LAYOUT):
        raise ValueError(f"the module's triple and layout are {found}")
    module.verify()
    builder = llvm.create_pass_builder(target, options())
    builder.getModulePassManager().run(module, builder)
    return bytes(target.emit_object(_plain(module) if LOOP in text or LOCAL in text else module))


def emit_bare(text: str, target: llvm.TargetMachine) -> bytes:
    """The object of a function for the processor. No passes: some would make calls of its copies (memcpy)."""
    module = llvm.parse_assembly(text, llvm.create_context())
    module.triple, module.data_layout = target.triple, str(target.target_data)
    module.verify()
    return bytes(target.emit_object(module))


def _plain(module: llvm.ModuleRef) -> llvm.ModuleRef:
    """The module without what the passes know and the verifier does not.

    A store that is moved behind its loop has no value before the first round, and the register is copied all the same:
    the verifier lets nobody read that, so there are zeros. And of ``& 7`` of what a called function gives, ``& 0xC007``
    would be made where some bits of it are never set: the verifier would have no bound.
    """
    text = str(module)
    some = _PHI.sub(lambda phi: _NOTHING.sub("null" if phi[1] == "ptr" else "0", phi[0]), text)
    some = _RANGE.sub("", some)
    if some == text:
        return module
    made = llvm.parse_assembly(some, llvm.create_context())
    made.verify()
    return made


def answer(text: str, target: llvm.TargetMachine) -> tuple[bytes, bytes]:
    """Kind and payload of the answer for a module."""
    made = emit if target.triple.startswith(TRIPLE) else emit_bare
    try:
        return b"o", made(text, target)
    except (RuntimeError, ValueError) as error:
        return b"e", str(error).encode("utf-8", "backslashreplace")


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Compile what comes until end of file."""
    machines: dict[str, llvm.TargetMachine] = {}
    while len(header := requests.read(_REQUEST.size)) == _REQUEST.size:
        name, length = _REQUEST.unpack(header)
        cpu = name.rstrip(b"\0").decode()
        text = requests.read(length).decode()
        os.write(2, b"\0")
        if cpu not in machines:
            machines[cpu] = machine(cpu)
        kind, payload = answer(text, machines[cpu])
        answers.write(_ANSWER.pack(kind, len(payload)) + payload)
        answers.flush()


def main() -> None:
    """Serve. What LLVM itself may print to standard output goes to standard error instead."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # an LLVM that aborts is an answer, no crash
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    llvm.set_option("", "-disable-auto-upgrade-debug-info")  # it verifies each module once more
    serve(sys.stdin.buffer, answers)
    os._exit(0)  # LLVM's own teardown takes 10 ms


if __name__ == "__main__":
    main()
