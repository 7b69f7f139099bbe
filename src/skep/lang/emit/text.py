"""The text of one LLVM module: functions, declarations and the metadata that carries the user's source lines."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from skep.base.errors import Span
from skep.lang.emit.described import of_entry, of_global, of_local, tags
from skep.lang.tree import Function
from skep.lang.types import IntType
from skep.lang.values import BOOL, VOID, Pointer, Several, Simple, Type

LAYOUT = "e-m:e-p:64:64-i64:64-i128:128-n32:64-S128"
HEAD = f'target datalayout = "{LAYOUT}"\ntarget triple = "bpfel"\n'
DECLARED = {
    "llvm.preserve.static.offset": "declare ptr @llvm.preserve.static.offset(ptr readnone)",
    "llvm.memcpy": "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)",
    "llvm.memset": "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)",
    "llvm.bswap.i16": "declare i16 @llvm.bswap.i16(i16)",
    "llvm.bswap.i32": "declare i32 @llvm.bswap.i32(i32)",
    "llvm.bswap.i64": "declare i64 @llvm.bswap.i64(i64)",
    "bpf_iter_num_new": 'declare i32 @bpf_iter_num_new(ptr, i32, i32) section ".ksyms"',
    "bpf_iter_num_next": 'declare ptr @bpf_iter_num_next(ptr) section ".ksyms"',
    "bpf_iter_num_destroy": 'declare void @bpf_iter_num_destroy(ptr) section ".ksyms"',
}
ESCAPES = {code: f"\\{code:02X}" for code in (*range(32), *b'"\\', *range(127, 256))}
"""What an LLVM string has in the place of a byte."""
NO_TABLES = '"no-jump-tables"="true"'
INLINING = {None: "", True: "alwaysinline ", False: "noinline "}


def llvm_type(kind: Type) -> str:
    """The LLVM type of a value in a register."""
    if isinstance(kind, IntType):
        return f"i{kind.bits}"
    if isinstance(kind, Pointer) or kind is Simple.NONE:
        return "ptr"
    if isinstance(kind, Several):
        return "i32"
    return {BOOL: "i1", VOID: "i32"}.get(kind, "i64") if isinstance(kind, Simple) else "i64"


def escaped(text: str) -> str:
    """Text as an LLVM string."""
    return text.encode().decode("latin-1").translate(ESCAPES)


def joined(functions: Sequence[Function]) -> dict[str, str]:
    """The sources of functions by file; a line that belongs to none of them is empty."""
    found: dict[str, list[str]] = {}
    for function in functions:
        lines = found.setdefault(function.file, [])
        own = function.source.split("\n")
        lines += [""] * (len(own) - len(lines))
        lines[: len(own)] = [new or old for new, old in zip(own, lines, strict=False)]
    return {file: "\n".join(lines) for file, lines in found.items()}


@dataclass(slots=True)
class Module:
    """Collects the parts of a module; ``text()`` joins them."""

    functions: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    kernel: dict[str, str] = field(default_factory=dict)
    maps: set[int] = field(default_factory=set)
    objects: set[str] = field(default_factory=set)
    symbols: set[str] = field(default_factory=set)
    constants: dict[bytes, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    _nodes: list[str] = field(default_factory=list)
    _files: dict[str, int] = field(default_factory=dict)
    _places: dict[tuple[int, int, int], int] = field(default_factory=dict)
    _fixed: dict[str, int] = field(default_factory=dict)

    def node(self, text: str) -> int:
        """A new metadata node; its number."""
        self._nodes.append(text)
        return len(self._nodes) - 1

    def shared(self, text: str) -> int:
        """A metadata node that is made once."""
        if text not in self._fixed:
            self._fixed[text] = self.node(text)
        return self._fixed[text]

    def constant(self, data: bytes) -> str:
        """The symbol of bytes in constant memory."""
        return self.constants.setdefault(data, f"@text.{len(self.constants)}")

    def place(self, scope: int, span: Span) -> int:
        """The number of the location of ``span`` in subprogram ``scope``."""
        key = (scope, span.line, min(span.column, 1023))
        found = self._places.get(key)
        if found is None:
            text = f"!DILocation(line: {key[1]}, column: {key[2]}, scope: !{scope})"
            found = self._places[key] = self.node(text)
        return found

    def file(self, function: Function) -> int:
        """The file of a function, with the source of all functions there: LLVM reads one source of a name."""
        if function.file not in self._files:
            name = escaped(function.file)
            source = escaped(self.sources.get(function.file, function.source))
            self._files[function.file] = self.node(
                f'!DIFile(filename: "{name}", directory: "", source: "{source}")'
            )
        return self._files[function.file]

    def subprogram(self, function: Function, *, local: bool) -> int:
        """The debug description of a function."""
        file = self.file(function)
        unit = self._unit(file)
        described = of_global if function.is_global else of_local if local else of_entry
        result, kinds = described(self, function)
        listed = ", ".join([f"!{result}", *(f"!{kind}" for _, kind in kinds)])
        signature = self.shared(f"!DISubroutineType(types: !{self.shared(f'!{{{listed}}}')})")
        told = tags(function) or [()] * len(kinds)
        noted = [f", annotations: !{self.notes(one)}" if one else "" for one in told]
        number = len(self._nodes)
        retained = number + 1
        flags = (
            "DISPFlagLocalToUnit | DISPFlagDefinition | DISPFlagOptimized"
            if local
            else "DISPFlagDefinition | DISPFlagOptimized"
        )
        self.node(
            f'distinct !DISubprogram(name: "{function.name}", scope: !{file}, file: !{file}, line: {function.line}, '
            f"type: !{signature}, scopeLine: {function.line}, spFlags: {flags}, unit: !{unit}, "
            f"retainedNodes: !{retained})"
        )
        self.node("!{" + ", ".join(f"!{retained + 1 + i}" for i in range(len(kinds))) + "}")
        for index, (name, kind) in enumerate(kinds):
            where = f"scope: !{number}, file: !{file}, line: {function.line}, type: !{kind}"
            self.node(f'!DILocalVariable(name: "{name}", arg: {index + 1}, {where}{noted[index]})')
        return number

    def notes(self, told: Sequence[str]) -> int:
        """A list of tags of a declaration."""
        each = [self.shared(f'!{{!"btf_decl_tag", !"{one}"}}') for one in told]
        return self.shared(f"!{{{', '.join(f'!{number}' for number in each)}}}")

    def _unit(self, file: int) -> int:
        for text, number in self._fixed.items():
            if text.startswith("distinct !DICompileUnit"):
                return number
        return self.shared(
            f'distinct !DICompileUnit(language: DW_LANG_C99, file: !{file}, producer: "skep", isOptimized: true, '
            "runtimeVersion: 0, emissionKind: FullDebug, splitDebugInlining: false, nameTableKind: None)"
        )

    def text(self) -> str:
        """The module.

        It asks for CodeView, which the BPF target has not: else LLVM writes DWARF beside BTF, half of the object, which
        nobody reads.
        """
        unit = next(
            n for text, n in self._fixed.items() if text.startswith("distinct !DICompileUnit")
        )
        form = self.node('!{i32 2, !"CodeView", i32 1}')
        info = self.node('!{i32 2, !"Debug Info Version", i32 3}')
        parts = [HEAD]
        parts += [f"@map.{index} = external global i8" for index in sorted(self.maps)]
        parts += [f"@{symbol} = external global i8" for symbol in sorted(self.objects)]
        parts += [f"@{symbol} = extern_weak global i8" for symbol in sorted(self.symbols)]
        parts += [_constant(name, data) for data, name in self.constants.items()]
        parts += self.functions
        parts += [DECLARED[name] for name in sorted(self.used)]
        parts += [self.kernel[name] for name in sorted(self.kernel)]
        parts += [f"!llvm.dbg.cu = !{{!{unit}}}", f"!llvm.module.flags = !{{!{form}, !{info}}}"]
        parts += [f"!{number} = {text}" for number, text in enumerate(self._nodes)]
        return "\n".join(parts) + "\n"


def _constant(name: str, data: bytes) -> str:
    """A definition of constant memory."""
    written = "".join(f"\\{byte:02X}" for byte in data)
    return f'{name} = private unnamed_addr constant [{len(data)} x i8] c"{written}"'
