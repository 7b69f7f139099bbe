"""More of the language in random programs: match, while, long loops, several values, bytes, bit fields.

As in ``random_programs``, each piece of source goes with a function of plain Python integers, which is its rule.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from skep.lang.layout import bits
from skep.lang.struct import Struct
from skep.lang.types import IntType, s16, s32, u8, u16, u32, u64
from tests.kernel.lang.random_programs import Generator
from tests.kernel.lang.reference import (
    EDGES,
    KINDS,
    E,
    Ended,
    Env,
    Return,
    S,
    cast,
    indented,
    promoted,
)

BYTES = 12
LETTERS = b"\0\1ab"


class Odd(Struct):
    """Bit fields on the stack."""

    a: u8 = bits(3)
    b: u8 = bits(5)
    c: s16 = bits(7)
    d: u16 = bits(12)
    e: u32 = bits(20)
    f: s32 = bits(9)
    g: u64 = bits(33)


@dataclass
class Pairs:
    """A function of two results."""

    name: str
    parameters: list[tuple[str, IntType]]
    results: tuple[IntType, IntType]
    lines: list[str]
    run: Callable[[list[int]], tuple[int, int]]


@dataclass
class Constructs(Generator):
    """Makes one program from a seed, of all constructs."""

    pairs: list[Pairs] = field(default_factory=list)

    # --- statements ---------------------------------------------------------------------------------------------------

    def statement(self, depth: int) -> S:
        """A statement of either sort."""
        if self.rng.random() < 0.55:
            return super().statement(depth)
        made: list[Callable[[int], S]] = [
            self.exchange,
            self.both,
            self.letter,
            self.part,
            self.bit,
        ]
        if depth > 0:
            made += [self.match, self.match, self.repeat, self.long]
        return self.rng.choice(made)(depth)

    def exchange(self, _depth: int) -> S:
        """``a, b = b, a`` and its like."""
        names = list(self.variables)
        if len(names) < 2:
            return self.new(0)
        one, two = self.rng.sample(names, 2)
        left = cast(self.variables[one], self.typed(1))
        right = cast(self.variables[two], self.typed(1))

        def run(env: Env) -> None:
            values = left.value(env), right.value(env)
            env[one], env[two] = values

        return S([f"{one}, {two} = {left.text}, {right.text}"], run)

    def both(self, depth: int) -> S:
        """``a, b = f(x)``."""
        if not self.pairs:
            return self.new(depth)
        pair = self.rng.choice(self.pairs)
        args = [cast(kind, self.operand(1)) for _, kind in pair.parameters]
        names = []
        for _ in pair.results:
            self.names += 1
            names.append(f"x{self.names}")
        lines = [f"{n}: {k!r} = 0" for n, k in zip(names, pair.results, strict=True)]
        call = f"{', '.join(names)} = {pair.name}({', '.join(a.text for a in args)})"
        self.variables |= dict(zip(names, pair.results, strict=True))

        def run(env: Env) -> None:
            env.update(zip(names, pair.run([a.value(env) for a in args]), strict=True))

        return S([*(lines if self.declared else []), call], run)

    def match(self, depth: int) -> S:
        """``match``, with alternatives, guards, a name or nothing for the rest."""
        subject = self.typed(2)
        kind = promoted(subject.kind or u64)
        lines, cases = [f"match {subject.text}:"], []
        for _ in range(self.rng.randrange(1, 4)):
            values = [self.rng.choice(EDGES[:-1]) for _ in range(self.rng.randrange(1, 4))]
            guard = self.condition(1) if self.rng.random() < 0.3 else None
            body = self.block(depth - 1, 2)
            listed = " | ".join(str(v) for v in values)
            lines.append(f"    case {listed}{f' if {guard.text}' if guard else ''}:")
            lines += indented(indented(body.lines))
            cases.append(([kind.wrap(v) for v in values], guard, body))
        rest = self._rest(depth, subject)
        lines += indented(rest.lines)

        def run(env: Env) -> Ended:
            value = subject.value(env)
            for values, guard, body in cases:
                if kind.wrap(value) in values and (guard is None or guard.value(env)):
                    return body.run(env)
            env["rest"] = value
            return rest.run(env)

        return S(lines, run)

    def _rest(self, depth: int, subject: E) -> S:
        roll = self.rng.random()
        if roll < 0.3:
            return S([], lambda _: None)
        if roll < 0.6:
            body = self.block(depth - 1, 2)
            return S(["case _:", *indented(body.lines)], body.run)
        self.names += 1
        name = f"y{self.names}"
        before = list(self.leaves)
        self.leaves.append(E(name, subject.kind, lambda env: env[name]))
        body = self.block(depth - 1, 2)
        self.leaves = before

        def run(env: Env) -> Ended:
            env[name] = env["rest"]
            return body.run(env)

        return S([f"case {name}:", *indented(body.lines)], run)

    def _inside_a_loop(self, depth: int, name: str, text: str = "") -> S:
        before = dict(self.variables)
        leaves = list(self.leaves)
        self.leaves.append(E(text or name, u32, lambda env: env[name]))
        self.loops += 1
        body = self.block(depth - 1, 3)
        self.loops -= 1
        self.variables, self.leaves = before, leaves
        return body

    def repeat(self, depth: int) -> S:
        """``while``, with a bound that the verifier sees, or not."""
        if self.looped():
            return self.branch(depth)
        self.names += 1
        name, limit = f"w{self.names}", self.rng.randrange(1, 9)
        form = self.rng.choice(FORMS)
        extra = self.condition(1)
        body = self._inside_a_loop(depth, name)
        first = f"{name}: u32 = 0" if self.declared else f"{name} = u32(0)"
        lines = [first, form.format(name=name, limit=limit, extra=extra.text)]
        if form is FOREVER:
            lines += [f"    if {name} >= {limit}:", "        break"]
        lines += [f"    {name} += 1", *indented(body.lines)]

        def run(env: Env) -> Ended:
            env[name] = 0
            while env[name] < limit and (form is not TOGETHER or extra.value(env)):
                env[name] += 1
                ended = body.run(env)
                if ended == "break":
                    break
                if isinstance(ended, Return):
                    return ended
            return None

        return S(lines, run)

    def long(self, depth: int) -> S:
        """A range whose ends are not known."""
        if self.looped():
            return self.branch(depth)
        self.names += 1
        name, step = f"i{self.names}", self.rng.choice((1, 1, 2, 3, -1, -2))
        low, high = (cast(u32, self.typed(1)) for _ in range(2))
        body = self._inside_a_loop(depth, name)
        bounds = [(low, 5), (high, 9)][:: 1 if step > 0 else -1]
        ends = [f"{e.text} % {n}" for e, n in bounds]
        declaration = [f"{name}: u32 = 0"] if self.declared else []
        head = f"for {name} in range({ends[0]}, {ends[1]}, {step}):"

        def run(env: Env) -> Ended:
            start, stop = (e.value(env) % n for e, n in bounds)
            for number in range(start, stop, step):
                env[name] = number
                ended = body.run(env)
                if ended == "break":
                    break
                if isinstance(ended, Return):
                    return ended
            return None

        return S([*declaration, head, *indented(body.lines)], run)

    # --- memory -------------------------------------------------------------------------------------------------------

    def letter(self, _depth: int) -> S:
        """A byte of the array on the stack."""
        if self.inside is not None:
            return S(["pass"], lambda _: None)
        index, value = self.typed(1), self.typed(1)
        text = f"t[{index.text} & 7] = {value.text} & 1"

        def run(env: Env) -> None:
            bit = value.value(env) & 1
            env["t"][index.value(env) & 7] = bit

        return S([text], run)

    def part(self, _depth: int) -> S:
        """Bytes that are known, or a part of the array, go to a part of it."""
        if self.inside is not None:
            return S(["pass"], lambda _: None)
        size = self.rng.randrange(1, 6)
        to, start = (self.rng.randrange(BYTES - size + 1) for _ in range(2))
        if self.rng.random() < 0.5:
            data = bytes(self.rng.choice(LETTERS) for _ in range(size))

            def write(env: Env) -> None:
                env["t"][to : to + size] = data

            return S([f"t[{to}:{to + size}] = {data!r}"], write)

        def copy(env: Env) -> None:
            env["t"][to : to + size] = env["t"][start : start + size]

        return S([f"t[{to}:{to + size}] = t[{start}:{start + size}]"], copy)

    def bit(self, _depth: int) -> S:
        """A bit field is set, or changes in place."""
        if self.inside is not None:
            return S(["pass"], lambda _: None)
        one = self.rng.choice(Odd.fields)
        kind, part = one.type, one.bits
        assert part is not None
        value = cast(kind, self.typed(2))
        plus = self.rng.random() < 0.3

        def run(env: Env) -> None:
            was = env["w"][one.name] if plus else 0
            number = value.value(env) + was
            env["w"][one.name] = part.get(kind, part.put(0, number))

        return S([f"w.{one.name} {'+=' if plus else '='} {value.text}"], run)

    # --- conditions and expressions -----------------------------------------------------------------------------------

    def condition(self, depth: int) -> E:
        """A truth value of either sort."""
        if self.inside is not None or self.loops or self.rng.random() < 0.75:
            return super().condition(depth)
        return self.rng.choice((self.equal, self.alike, self.within))(depth)

    def _known(self, size: int) -> bytes:
        return bytes(self.rng.choice(LETTERS) for _ in range(size))

    def equal(self, _depth: int) -> E:
        """A part beside bytes that are known."""
        size = self.rng.randrange(1, 5)
        at = self.rng.randrange(BYTES - size + 1)
        data, op = self._known(size), self.rng.choice(("==", "!="))
        if self.rng.random() < 0.3:
            method = self.rng.choice(("startswith", "endswith"))
            return E(
                f"t.{method}({data!r})", None, lambda env: int(getattr(env["t"], method)(data))
            )
        return E(
            f"(t[{at}:{at + size}] {op} {data!r})",
            None,
            lambda env: int((env["t"][at : at + size] == data) == (op == "==")),
        )

    def alike(self, _depth: int) -> E:
        """Two parts beside each other."""
        size = self.rng.randrange(1, 5)
        a, b = (self.rng.randrange(BYTES - size + 1) for _ in range(2))
        return E(
            f"(t[{a}:{a + size}] == t[{b}:{b + size}])",
            None,
            lambda env: int(env["t"][a : a + size] == env["t"][b : b + size]),
        )

    def within(self, _depth: int) -> E:
        """Bytes that are known in the array."""
        data = self._known(self.rng.randrange(1, 3))
        return E(f"({data!r} in t)", None, lambda env: int(data in env["t"]))

    def typed(self, depth: int) -> E:
        """An expression of either sort."""
        if self.inside is not None or self.loops or self.rng.random() < 0.94:
            return super().typed(depth)  # the verifier follows each place that a search may give
        data = self._known(self.rng.randrange(1, 3))
        return E(f"t.find({data!r})", s32, lambda env: env["t"].find(data))

    # --- the whole ----------------------------------------------------------------------------------------------------

    def pair_of(self, index: int) -> Pairs:
        """A function of two results."""
        kept = self.variables, self.leaves
        parameters = [(f"p{i}", self.rng.choice(KINDS)) for i in range(self.rng.randrange(1, 3))]
        results = self.rng.choice(KINDS), self.rng.choice(KINDS)
        self.variables, self.leaves, self.inside = dict(parameters), [], results[0]
        test = self.condition(1)
        early, last = ([cast(kind, self.operand(2)) for kind in results] for _ in range(2))
        self.variables, self.leaves = kept
        self.inside = None
        listed = ", ".join(f"{n}: {k!r}" if self.declared else n for n, k in parameters)
        name = f"g{self.seed}_{index}"
        lines = [
            self.rng.choice(("@skep.noinline", "", "")),
            f"def {name}({listed}):",
            f"    if {test.text}:",
            f"        return {early[0].text}, {early[1].text}",
            f"    return {last[0].text}, {last[1].text}",
        ]

        def run(args: list[int]) -> tuple[int, int]:
            env: Env = {n: k.wrap(v) for (n, k), v in zip(parameters, args, strict=True)}
            one, two = early if test.value(env) else last
            return one.value(env), two.value(env)

        return Pairs(name, parameters, results, [line for line in lines if line], run)

    def functions(self) -> list[str]:
        """The functions that the program may call."""
        lines = super().functions()
        self.pairs = [self.pair_of(i) for i in range(self.rng.choice((0, 0, 1)))]
        return [*lines, *(line for pair in self.pairs for line in pair.lines)]

    def memory(self) -> list[str]:
        """What the program has on the stack."""
        lines = super().memory()
        for one in Odd.fields:
            self.leaves.append(
                E(f"w.{one.name}", one.type, lambda env, n=one.name: env["w"][n])  # type: ignore[misc]
            )
        return [*lines, f"t = u8[{BYTES}]()", "w = Odd()"]

    def fresh(self) -> Env:
        """What is on the stack when a program begins."""
        return super().fresh() | {"t": bytearray(BYTES), "w": {f.name: 0 for f in Odd.fields}}


TOGETHER, FOREVER = "while {name} < {limit} and {extra}:", "while True:"
FORMS = ("while {name} < {limit}:", "while {name} != {limit}:", TOGETHER, FOREVER)
