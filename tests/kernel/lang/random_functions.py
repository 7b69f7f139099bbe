"""More functions in random programs: global ones, of a declared result, with defaults and names, of other functions.

As in ``random_programs``, each piece of source goes with a function of plain Python, which is its rule.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from skep.lang.types import IntType, u32
from tests.kernel.lang.random_effects import Effects
from tests.kernel.lang.reference import (
    KINDS,
    SCRATCH,
    E,
    Env,
    Return,
    S,
    Sub,
    cast,
    indented,
    literal,
    promoted,
)


@dataclass
class Functions(Effects):
    """Makes one program from a seed, of all that Effects make and of more functions."""

    defaults: dict[str, int] = field(default_factory=dict)
    gives: IntType | None = None

    def statement(self, depth: int) -> S:
        """A statement of any sort."""
        if self.gives is not None and depth > 0 and self.rng.random() < 0.2:
            return self.leave_function(depth)
        if self.inside is None and self.rng.random() < 0.03:
            return self.lower(depth)
        return super().statement(depth)

    def leave_function(self, _depth: int) -> S:
        """A return in the midst of a function, perhaps out of loops."""
        assert self.gives is not None
        test, value = self.condition(1), cast(self.gives, self.typed(1))
        return S(
            [f"if {test.text}:", f"    return {value.text}"],
            lambda env: Return(value.value(env)) if test.value(env) else None,
        )

    def lower(self, _depth: int) -> S:
        """An array is handed to a function, which changes it."""
        by, name = cast(u32, self.operand(1)), self.born(u32)[0]
        self.variables[name] = u32
        typed = f"{name}: u32" if self.declared else name

        def run(env: Env) -> None:
            number, held = by.value(env), env["m"]
            held[number % SCRATCH] = min(held[number % SCRATCH], number)
            env[name] = held[(number + 1) % SCRATCH]

        return S([f"{typed} = lowered(m, {by.text})"], run)

    def call(self, depth: int) -> E:
        """A call of any form."""
        if not self.subs:
            return super().call(depth)
        sub = self.rng.choice(self.subs)
        args = [cast(kind, self.operand(depth)) for _, kind in sub.parameters]
        if len(args) == 1 and self.rng.random() < 0.3:
            return self._applied(sub, args[0], cast(sub.parameters[0][1], self.leaf()))
        if sub.name in self.defaults and self.rng.random() < 0.5:
            args[-1] = literal(self.defaults[sub.name])
            return _called(sub, args, [arg.text for arg in args[:-1]])
        if self.rng.random() < 0.3:
            names = [name for name, _ in sub.parameters]
            last = f"{names[-1]}={args[-1].text}"
            return _called(sub, args, [*(arg.text for arg in args[:-1]), last])
        return _called(sub, args, [arg.text for arg in args])

    def _applied(self, sub: Sub, one: E, other: E) -> E:
        """A function is an argument, and called twice."""
        kind = promoted(sub.result)

        def value(env: Env) -> int:
            first, second = one.value(env), other.value(env)
            return kind.wrap(sub.run([second]) ^ sub.run([first]))

        return E(f"applied({sub.name}, {one.text}, {other.text})", kind, value)

    def sub(self, index: int) -> Sub:
        """A function of numbers, of any form."""
        form = self.rng.choice(("", "", "global", "result", "default"))
        if not form:
            return super().sub(index)
        name, kept = f"f{self.seed}_{index}", (self.variables, self.leaves, self.subs)
        parameters = [(f"p{i}", self.rng.choice(KINDS)) for i in range(self.rng.randrange(1, 4))]
        result = self.rng.choice(KINDS)
        self.variables, self.leaves, self.inside, self.gives = dict(parameters), [], result, result
        body = self.block(2, 2)
        last = self.typed(2) if form in ("global", "result") else cast(result, self.typed(2))
        self.variables, self.leaves, self.subs = kept
        self.inside = self.gives = None
        if form == "default":
            self.defaults[name] = self.rng.randrange(100)
        lines = [*self._head(form, name, parameters, result), *indented(body.lines)]
        lines.append(f"    return {last.text}")
        return Sub(name, parameters, result, lines, _run(parameters, body, result, last))

    def _head(
        self, form: str, name: str, parameters: list[tuple[str, IntType]], result: IntType
    ) -> list[str]:
        """The lines above a function's body."""
        typed = self.declared or form == "global"
        listed = [f"{n}: {k!r}" if typed else n for n, k in parameters]
        if form == "default":
            last, kind = parameters[-1]
            listed[-1] = f"{last}: {kind!r} = {self.defaults[name]}"
        how = (
            "@skep.global_function" if form == "global" else self.rng.choice(("@skep.noinline", ""))
        )
        gives = f" -> {result!r}" if form in ("global", "result") else ""
        return [*([how] if how else []), f"def {name}({', '.join(listed)}){gives}:"]


def _run(
    parameters: list[tuple[str, IntType]], body: S, result: IntType, last: E
) -> Callable[[list[int]], int]:
    def run(args: list[int]) -> int:
        env: Env = {n: k.wrap(v) for (n, k), v in zip(parameters, args, strict=True)}
        ended = body.run(env)
        return result.wrap(ended.value if isinstance(ended, Return) else last.value(env))

    return run


def _called(sub: Sub, args: list[E], texts: list[str]) -> E:
    return E(
        f"{sub.name}({', '.join(texts)})",
        sub.result,
        lambda env: sub.run([arg.value(env) for arg in args]),
    )
