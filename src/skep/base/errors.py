"""The errors of skep: one class for each thing that a caller can do about it.

An error carries data; its message is made from the data. Foreign exceptions are translated where they enter, always
``from``.
"""

from typing import Self

from skep.base.frozen import frozen


class SkepError(Exception):
    """Anything that skep itself raises; a face prints its text without a traceback."""


@frozen
class Span:
    """A place in a user's source: lines and columns count from 1 as an editor shows them."""

    file: str
    line: int
    column: int = 1
    end_column: int = 2
    text: str = ""

    def caret(self) -> str:
        """The source line with a caret line below it."""
        text = self.text.expandtabs(1)
        width = max(1, min(self.end_column, len(text) + 1) - self.column)
        return f"{self.line:6d} | {text}\n       | {' ' * (self.column - 1)}{'^' * width}"


class CompileError(SkepError):
    """The program is outside the language: the user's line, a caret, and what to write instead."""

    def __init__(self, problem: str, span: Span | None = None, hint: str = "") -> None:
        self.problem, self.span, self.hint = problem, span, hint
        super().__init__(problem)

    def __str__(self) -> str:
        where = f"{self.span.file}:{self.span.line}:{self.span.column}: " if self.span else ""
        lines = [f"{where}error: {self.problem}"]
        if self.span and self.span.text:
            lines.append(self.span.caret())
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)


class VerifierError(SkepError):
    """The kernel refused a program: the cause, the user's lines that lead there, the fix."""

    def __init__(
        self,
        program: str,
        cause: str,
        path: tuple[Span, ...] = (),
        *,
        fix: str = "",
        log: str = "",
        origin: Span | None = None,
    ) -> None:
        self.program, self.cause, self.path, self.fix = program, cause, path, fix
        self.log, self.origin = log, origin
        super().__init__(cause)

    def __str__(self) -> str:
        lines = [f"the kernel refused {self.program}: {self.cause}"]
        lines += [f"  {span.file}:{span.line} | {span.text.strip()}" for span in self.path]
        if self.origin:
            origin = self.origin
            lines.append(f"  acquired at {origin.file}:{origin.line} | {origin.text.strip()}")
        if self.fix:
            lines.append(f"  fix: {self.fix}")
        return "\n".join(lines)


class Unsupported(SkepError):
    """This kernel does not offer a feature: which, since when, why, and what is used instead."""

    def __init__(self, feature: str, reason: str, since: str = "", instead: str = "") -> None:
        self.feature, self.reason, self.since, self.instead = feature, reason, since, instead
        super().__init__(feature)

    def __str__(self) -> str:
        text = f"this kernel does not offer {self.feature}: {self.reason}"
        if self.since:
            text += f" (upstream since Linux {self.since})"
        return text + (f"; instead: {self.instead}" if self.instead else "")


class Forbidden(SkepError):
    """The process lacks a privilege: which, and for what."""

    def __init__(self, action: str, capability: str = "root") -> None:
        self.action, self.capability = action, capability
        super().__init__(action)

    def __str__(self) -> str:
        other = f" or grant {self.capability}" if self.capability.startswith("CAP_") else ""
        return f"{self.action} needs {self.capability}; run it as root{other}"


class KernelError(SkepError):
    """A system call failed in a way that no other class names: the call, errno and its meaning."""

    def __init__(self, call: str, errno: int, meaning: str, detail: str = "") -> None:
        self.call, self.errno, self.meaning, self.detail = call, errno, meaning, detail
        super().__init__(call)

    def __str__(self) -> str:
        return f"{self.call}: {self.meaning}" + (f" ({self.detail})" if self.detail else "")


class BadInput(SkepError):
    """Input from outside is wrong: where (file, line, key or argument), what, and what is taken."""

    def __init__(self, place: str, problem: str, expected: str = "") -> None:
        self.place, self.problem, self.expected = place, problem, expected
        super().__init__(problem)

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}" + (f"; {self.expected}" if self.expected else "")

    @classmethod
    def at(cls, file: str, line: int, key: str, problem: str, expected: str = "") -> Self:
        """The same for a key of a file."""
        return cls(f"{file}:{line}: {key}", problem, expected)


class Conflict(SkepError):
    """Something else holds what is asked for: what, who, and what to do about it."""

    def __init__(self, what: str, holder: str, instead: str = "") -> None:
        self.what, self.holder, self.instead = what, holder, instead
        super().__init__(what)

    def __str__(self) -> str:
        text = f"{self.what} is held by {self.holder}"
        return text + (f"; {self.instead}" if self.instead else "")


class Refused(SkepError):
    """The agent answered with an error: its status (of HTTP) and its text."""

    def __init__(self, status: int, text: str) -> None:
        self.status, self.text = status, text
        super().__init__(text)


class Unreachable(SkepError):
    """No agent answers: where it was looked for."""

    def __init__(self, where: str, reason: str) -> None:
        self.where, self.reason = where, reason
        super().__init__(where)

    def __str__(self) -> str:
        start = "`skep up` or `skep agent` starts one"
        return f"no agent answers at {self.where}: {self.reason}; {start}"


class Busy(Unreachable):
    """An agent is there and says nothing: it may answer later, and is not to be taken for gone."""

    def __init__(self, where: str, seconds: float) -> None:
        super().__init__(where, f"no answer within {seconds:g} s")

    def __str__(self) -> str:
        hint = "it is busy, or hangs: `skep down --force` ends it"
        return f"the agent at {self.where} runs, but gives {self.reason}; {hint}"
