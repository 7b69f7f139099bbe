"""A function's source: its text, its syntax tree, and the place of every node for messages.

Line and column numbers are the user's own. It reads source through ``linecache``, so that files, notebooks and code
passed to ``exec`` with a registered source work alike.
"""

import ast
import linecache
import textwrap
from collections.abc import Callable
from dataclasses import field
from typing import Any

from skep.base.errors import CompileError, Span
from skep.base.frozen import frozen


@frozen
class Text:
    """Where a function stands: its file, its first line (counted from 1) and its source, indented as it is."""

    file: str
    line: int
    text: str

    @property
    def padded(self) -> str:
        """The text under as many empty lines as stand above it, so that line N of the file is line N here."""
        return "\n" * (self.line - 1) + self.text


def text_of(function: Callable[..., Any]) -> Text:
    """The source of ``function`` by its code object alone: no tokenizing.

    Raises CompileError where the source cannot be had, as for code typed into ``python -c``.
    """
    code = function.__code__
    lines = linecache.getlines(code.co_filename)
    first = code.co_firstlineno
    last = max((end for _, end, _, _ in code.co_positions() if end), default=first)
    if not lines or len(lines) < last:
        raise CompileError(
            f"the source of {function.__name__} cannot be read from {code.co_filename!r}",
            hint="put the program into a file; the compiler reads its source",
        )
    end = _end(lines, first, last, code.co_name)
    return Text(code.co_filename, first, "".join(lines[first - 1 : end]))


def _end(lines: list[str], first: int, last: int, name: str) -> int:
    """The function's last line: that of its code, and of what Python leaves out of it, which is indented further."""
    head = f"def {name}("  # of a function without code only the first line has a place
    start = next((n for n in range(first, len(lines) + 1) if head in lines[n - 1]), first)
    end, indent = max(start, last), _indent(lines[first - 1])
    while end < len(lines) and (_closing(lines[end]) or _indent(lines[end]) > indent):
        end += 1
    while end > last and not lines[end - 1].strip():
        end -= 1
    return end


def _indent(line: str) -> int:
    """How far a line is indented; a blank one further than any."""
    return len(line) - len(line.lstrip()) if line.strip() else len(line) + 1000


def _closing(line: str) -> bool:
    """Whether a line holds closing brackets only."""
    return bool(line.strip()) and not line.strip().strip(")]},:")


@frozen
class Source:
    """A parsed function; the places of its nodes are made once, for it is read several times."""

    text: Text
    tree: ast.FunctionDef
    lines: tuple[str, ...]
    indent: int
    spans: dict[ast.AST, Span] = field(default_factory=dict, repr=False, compare=False)

    def span(self, node: ast.AST) -> Span:
        """The place of ``node``, with its line of source."""
        found = self.spans.get(node)
        if found is None:
            found = self.spans[node] = self._span(node)
        return found

    def _span(self, node: ast.AST) -> Span:
        line = getattr(node, "lineno", 1)
        column = getattr(node, "col_offset", 0)
        end = getattr(node, "end_col_offset", column + 1)
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        if not text.isascii():  # Python counts the bytes of a line
            column, end = (_characters(text[self.indent :], count) for count in (column, end))
        if getattr(node, "end_lineno", line) != line:
            end = len(text) - self.indent
        first, shift = self.text.line, self.indent + 1
        return Span(self.text.file, first + line - 1, column + shift, end + shift, text)


def _characters(line: str, count: int) -> int:
    """How many characters the first ``count`` bytes of a line are."""
    return len(line.encode()[:count].decode(errors="ignore"))


def parse(function: Callable[..., Any]) -> Source:
    """The syntax tree of ``function``. Raises CompileError where it is no ordinary function."""
    text = text_of(function)
    body = textwrap.dedent(text.text)
    lines = tuple(text.text.splitlines())
    indent = len(lines[0]) - len(lines[0].lstrip())
    try:
        node = ast.parse(body).body[0]
    except SyntaxError as error:
        raise CompileError(
            f"{function.__name__} is not a function with a block of its own: {error.msg}"
        ) from error
    if not isinstance(node, ast.FunctionDef) or function.__name__ == "<lambda>":
        first, word = node.lineno - 1, lines[node.lineno - 1].split(" ")[0]
        span = Span(text.file, text.line + first, 1, len(word) + 1, lines[first])
        raise CompileError(
            "only functions written with def can be compiled", span, "write it with def"
        )
    return Source(text, node, lines, indent)
