"""Random programs and what they must compute: each piece of source goes with a function of plain Python integers.

The functions are the rules of ``docs/language.md``, written down once more and apart from the compiler. A program reads
its ``In`` at the start of a packet and writes its ``Out`` behind it.
"""

import operator
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from skep.lang.types import IntType, s32, s64, u32, u64
from tests.kernel.lang.reference import (
    EDGES,
    KINDS,
    LOADED,
    ORDER,
    OUT_OFFSET,
    SCRATCH,
    E,
    Ended,
    Env,
    In,
    Out,
    Program,
    Return,
    S,
    Sub,
    arithmetic,
    cast,
    comparable,
    constant,
    fitting,
    indented,
    literal,
    met,
    promoted,
    sequence,
    used,
    variable,
    with_literal,
)


@dataclass
class Generator:
    """Makes one program from a seed.

    ``declared``: its variables are annotated; else they have the type of their values. ``mixed``: the two sides of a
    choice may have two types, of which plain Python sees one only.
    """

    seed: int
    declared: bool = True
    mixed: bool = False
    rng: random.Random = field(init=False)
    variables: dict[str, IntType] = field(default_factory=dict)
    loops: int = 0
    names: int = 0
    subs: list[Sub] = field(default_factory=list)
    leaves: list[E] = field(default_factory=list)
    inside: IntType | None = None

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    # --- expressions --------------------------------------------------------------------------------------------------

    def typed(self, depth: int) -> E:
        """An expression that has a type."""
        if depth <= 0 or self.rng.random() < 0.15:
            return self.leaf()
        made = self.rng.choice(
            [
                self.binary,
                self.binary,
                self.binary,
                self.divide,
                self.shift,
                self.shift,
                self.converted,
                self.unary,
                self.choice,
                self.extreme,
                self.call,
                self.element,
            ]
        )
        return made(depth - 1)

    def leaf(self) -> E:
        """A variable, a field of the input, or a value in memory."""
        found = list(self.leaves)
        found += [variable(name, kind) for name, kind in self.variables.items()] * 2
        return self.rng.choice(found)

    def operand(self, depth: int) -> E:
        """An expression, a literal or a truth value."""
        roll = self.rng.random()
        if roll < 0.25:
            return literal(self.number())
        if roll < 0.32:
            return self.condition(depth)
        return self.typed(depth)

    def number(self) -> int:
        """A literal: mostly small, often on an edge."""
        roll = self.rng.random()
        if roll < 0.5:
            value = self.rng.choice(EDGES)
        elif roll < 0.9:
            value = self.rng.randrange(1000)
        else:
            value = self.rng.getrandbits(self.rng.choice((31, 32, 40, 62)))
        return -value if self.rng.random() < 0.2 else value

    def pair(self, depth: int) -> tuple[E, E, IntType]:
        """Two operands whose signs mix, and their type."""
        left, right = self.typed(depth), self.operand(depth)
        if right.kind is None:
            value = right.value({}) if right.text.strip("(-)").isdigit() else 1
            kind = with_literal(left.kind or u64, value)
        else:
            common = met(left.kind or u64, right.kind)
            if common is None:
                right = cast(promoted(left.kind or u64), right)
            kind = common or promoted(left.kind or u64)
        return (left, right, kind) if self.rng.random() < 0.7 else (right, left, kind)

    def binary(self, depth: int) -> E:
        left, right, kind = self.pair(depth)
        return arithmetic(self.rng.choice("+-*&|^"), kind, left, right)

    def divide(self, depth: int) -> E:
        left, right, kind = self.pair(depth)
        left, right = (fitting(side, kind) for side in (left, right))
        return arithmetic(self.rng.choice(("//", "%")), kind, left, right)

    def shift(self, depth: int) -> E:
        left, op = self.typed(depth), self.rng.choice(("<<", ">>"))
        if self.rng.random() < 0.15:
            left = literal(abs(self.number()) % (1 << 31))
        kind = promoted(left.kind) if left.kind else u64
        fixed = left.kind is not None and self.rng.random() < 0.4
        right = literal(self.rng.randrange(kind.bits)) if fixed else self.typed(depth)

        def value(env: Env) -> int:
            number, amount = left.value(env), right.value(env) % kind.bits
            return kind.wrap(number << amount if op == "<<" else number >> amount)

        return E(f"({left.text} {op} {right.text})", kind, value)

    def converted(self, depth: int) -> E:
        inner = self.condition(depth) if self.rng.random() < 0.2 else self.typed(depth)
        return cast(self.rng.choice(KINDS), inner)

    def unary(self, depth: int) -> E:
        inner, op = self.typed(depth), self.rng.choice("-~")
        kind = promoted(inner.kind or s64)
        change = operator.neg if op == "-" else operator.invert
        return E(f"({op}{inner.text})", kind, lambda env: kind.wrap(change(inner.value(env))))

    def choice(self, depth: int) -> E:
        test = self.condition(depth)
        left, right, kind = self.pair(depth)
        left, right = (fitting(side, kind) for side in (left, right))
        same = left.kind is right.kind and left.kind is not None
        kind = left.kind if same and left.kind is not None else kind
        text = f"({left.text} if {test.text} else {right.text})"
        made = E(text, kind, lambda env: kind.wrap((left if test.value(env) else right).value(env)))
        return made if self.mixed or same else cast(kind, made)

    def extreme(self, depth: int) -> E:
        left, right, kind = self.pair(depth)
        left, right = (fitting(side, kind) for side in (left, right))
        name, choose = self.rng.choice((("min", min), ("max", max)))
        return E(
            f"{name}({left.text}, {right.text})",
            kind,
            lambda env: choose(kind.wrap(left.value(env)), kind.wrap(right.value(env))),
        )

    def call(self, depth: int) -> E:
        if not self.subs:
            return self.leaf()
        sub = self.rng.choice(self.subs)
        args = [cast(kind, self.operand(depth)) for _, kind in sub.parameters]
        text = f"{sub.name}({', '.join(a.text for a in args)})"
        return E(text, sub.result, lambda env: sub.run([a.value(env) for a in args]))

    def element(self, depth: int) -> E:
        """An element of the array on the stack."""
        if self.inside is not None:
            return self.leaf()
        index = self.typed(min(depth, 1))
        return E(
            f"m[{index.text} & {SCRATCH - 1}]",
            u32,
            lambda env: env["m"][index.value(env) % SCRATCH],
        )

    def condition(self, depth: int) -> E:
        """A truth value."""
        made: list[Callable[[int], E]] = [self.compare, self.compare, self.chain, self.member]
        if depth > 0:
            made += [self.logic, self.negation]
        return self.rng.choice(made)(depth - 1)

    def compare(self, depth: int) -> E:
        left, right, kind = self.pair(depth)
        op = self.rng.choice(tuple(ORDER))
        if constant(left) is not None or constant(right) is not None:
            kind = promoted(left.kind or right.kind or u64)
        left, right = (comparable(side, kind) for side in (left, right))
        return E(
            f"({left.text} {op} {right.text})",
            None,
            lambda env: int(ORDER[op](kind.wrap(left.value(env)), kind.wrap(right.value(env)))),
        )

    def chain(self, depth: int) -> E:
        first = self.typed(depth)
        kind = promoted(first.kind or u64)
        rest = [cast(kind, self.typed(depth)) for _ in range(2)]
        ops = [self.rng.choice(("<", "<=", ">", "!=")) for _ in rest]

        def value(env: Env) -> int:
            left = kind.wrap(first.value(env))
            for op, e in zip(ops, rest, strict=True):
                right = kind.wrap(e.value(env))
                if not ORDER[op](left, right):
                    return 0
                left = right
            return 1

        text = " ".join(f"{op} {e.text}" for op, e in zip(ops, rest, strict=True))
        return E(f"({first.text} {text})", None, value)

    def member(self, depth: int) -> E:
        item = self.typed(depth)
        kind = promoted(item.kind or u64)
        choices = [self.rng.choice(EDGES[:-1]) for _ in range(self.rng.randrange(1, 4))]
        word = self.rng.choice(("in", "not in"))
        listed = ", ".join(str(c) for c in choices)
        return E(
            f"({item.text} {word} ({listed},))",
            None,
            lambda env: int((kind.wrap(item.value(env)) in choices) == (word == "in")),
        )

    def logic(self, depth: int) -> E:
        op = self.rng.choice(("and", "or"))
        sides = [self.condition(depth), self.condition(depth)]
        decide = all if op == "and" else any
        return E(
            f"({f' {op} '.join(s.text for s in sides)})",
            None,
            lambda env: int(decide(s.value(env) for s in sides)),
        )

    def negation(self, depth: int) -> E:
        inner = self.typed(depth) if self.rng.random() < 0.5 else self.condition(depth)
        return E(f"(not {inner.text})", None, lambda env: int(not inner.value(env)))

    # --- statements ---------------------------------------------------------------------------------------------------

    def block(self, depth: int, count: int) -> S:
        """Some statements; variables that are born inside end there."""
        before = dict(self.variables)
        made = [self.statement(depth) for _ in range(self.rng.randrange(1, count + 1))]
        self.variables = before
        return sequence(made)

    def statement(self, depth: int) -> S:
        made: list[Callable[[int], S]] = [
            self.new,
            self.assign,
            self.assign,
            self.change,
            self.put,
            self.keep,
        ]
        if depth > 0:
            made += [self.branch, self.branch, self.loop]
        if self.loops:
            made.append(self.leave)
        return self.rng.choice(made)(depth)

    def new(self, _depth: int) -> S:
        self.names += 1
        name, kind = f"x{self.names}", self.rng.choice(KINDS)
        value = cast(kind, self.operand(2))
        self.variables[name] = kind
        line = f"{name}: {kind!r} = {value.text}" if self.declared else f"{name} = {value.text}"
        return S([line], lambda env: env.update({name: value.value(env)}))

    def assign(self, depth: int) -> S:
        if not self.variables:
            return self.new(depth)
        name = self.rng.choice(list(self.variables))
        kind = self.variables[name]
        value = self.typed(3) if self.declared else cast(kind, self.typed(3))
        return S(
            [f"{name} = {value.text}"], lambda env: env.update({name: kind.wrap(value.value(env))})
        )

    def change(self, depth: int) -> S:
        """``x += y`` of a variable as wide as arithmetic is."""
        wide = [n for n, k in self.variables.items() if k.bits >= 32 or self.declared]
        if not wide:
            return self.new(depth)
        name = self.rng.choice(wide)
        kind = self.variables[name]
        other = cast(kind, self.operand(2))
        op = self.rng.choice(("+", "-", "*", "&", "|", "^", "//", "%"))
        made = arithmetic(op, promoted(kind), variable(name, kind), other)
        return S(
            [f"{name} {op}= {other.text}"],
            lambda env: env.update({name: kind.wrap(made.value(env))}),
        )

    def put(self, _depth: int) -> S:
        """A field of the output; a narrow one wraps around."""
        out = self.rng.choice(Out.fields)
        value = self.typed(3)
        if self.inside is not None:
            return S(["pass"], lambda _: None)
        if self.rng.random() < 0.3:
            return self._put_in_place(out.name, out.type, value)
        return S(
            [f"o.{out.name} = {value.text}"],
            lambda env: env["out"].update({out.name: out.type.wrap(value.value(env))}),
        )

    def _put_in_place(self, name: str, kind: IntType, value: E) -> S:
        held = LOADED.get(kind, kind)
        other = cast(held, value)
        here = E(f"o.{name}", held, lambda env: env["out"][name])
        made = arithmetic(self.rng.choice("+-^"), promoted(held), here, other)
        op = made.text.split(" ")[1]
        return S(
            [f"o.{name} {op}= {other.text}"],
            lambda env: env["out"].update({name: kind.wrap(made.value(env))}),
        )

    def keep(self, _depth: int) -> S:
        """An element of an array on the stack."""
        if self.inside is not None:
            return S(["pass"], lambda _: None)
        index, value = self.typed(1), self.typed(2)

        def run(env: Env) -> None:
            number = u32.wrap(value.value(env))
            env["m"][index.value(env) % SCRATCH] = number

        return S([f"m[{index.text} & {SCRATCH - 1}] = {value.text}"], run)

    def branch(self, depth: int) -> S:
        test, then = self.condition(2), self.block(depth - 1, 3)
        lines = [f"if {test.text}:", *indented(then.lines)]
        other: S | None = None
        if self.rng.random() < 0.6:
            other = self.block(depth - 1, 3)
            lines += ["else:", *indented(other.lines)]

        def run(env: Env) -> Ended:
            if test.value(env):
                return then.run(env)
            return other.run(env) if other else None

        return S(lines, run)

    def loop(self, depth: int) -> S:
        if self.looped():
            return self.branch(depth)
        self.names += 1
        name, bounds = f"i{self.names}", self._bounds()
        before = dict(self.variables)
        self.variables[name] = u32
        self.loops += 1
        body = self.block(depth - 1, 3)
        self.loops -= 1
        self.variables = before
        head = f"for {name} in range(u32({bounds[0]}), {bounds[1]}, {bounds[2]}):"
        declaration = [f"{name}: u32 = 0"] if self.declared else []

        def run(env: Env) -> Ended:
            for number in range(*bounds):
                env[name] = number
                ended = body.run(env)
                if ended == "break":
                    break
                if isinstance(ended, Return):
                    return ended
            return None

        return S([*declaration, head, *indented(body.lines)], run)

    def looped(self) -> bool:
        """Whether there are loops enough around what comes."""
        return self.loops > 0

    def _bounds(self) -> tuple[int, int, int]:
        count, step = self.rng.randrange(5), self.rng.choice((1, 1, 2, 3))
        start = self.rng.randrange(4)
        return start, start + count * step, step

    def leave(self, _depth: int) -> S:
        test, word = self.condition(1), self.rng.choice(("break", "continue"))
        return S([f"if {test.text}:", f"    {word}"], lambda env: word if test.value(env) else None)

    # --- functions ----------------------------------------------------------------------------------------------------

    def sub(self, index: int) -> Sub:
        """A function of numbers."""
        kept = self.variables, self.leaves, self.subs
        name = f"f{self.seed}_{index}"
        parameters = [(f"p{i}", self.rng.choice(KINDS)) for i in range(self.rng.randrange(1, 4))]
        self.variables, self.leaves, self.inside = dict(parameters), [], self.rng.choice(KINDS)
        result = self.inside
        early, test = cast(result, self.operand(2)), self.condition(1)
        body = self.block(1, 3)
        last = cast(result, self.typed(2))
        self.variables, self.leaves, self.subs = kept
        self.inside = None
        listed = ", ".join(f"{n}: {k!r}" if self.declared else n for n, k in parameters)
        lines = [
            self.rng.choice(("@skep.noinline", "@skep.inline", "")),
            f"def {name}({listed}):",
            f"    if {test.text}:",
            f"        return {early.text}",
            *indented(body.lines),
            f"    return {last.text}",
        ]

        def run(args: list[int]) -> int:
            env: Env = {n: k.wrap(v) for (n, k), v in zip(parameters, args, strict=True)}
            if test.value(env):
                return early.value(env)
            body.run(env)
            return last.value(env)

        return Sub(name, parameters, result, [line for line in lines if line], run)

    def functions(self) -> list[str]:
        """The functions that the program may call."""
        for index in range(self.rng.choice((0, 0, 1, 2))):
            self.subs.append(self.sub(index))  # a function calls those before it
        return [line for sub in self.subs for line in sub.lines]

    def memory(self) -> list[str]:
        """What the program has on the stack."""
        self.leaves.append(E("m[3]", u32, lambda env: env["m"][3]))
        return [f"m = u32[{SCRATCH}]()"]

    def fresh(self) -> Env:
        """What is on the stack when a program begins."""
        return {"m": [0] * SCRATCH}

    def program(self) -> "Program":
        """The whole program."""
        functions = self.functions()
        self.leaves = [
            E(f"v.{f.name}", LOADED.get(f.type, f.type), lambda env, n=f.name: env["in"][n])  # type: ignore[misc]
            for f in In.fields
        ]
        memory = self.memory()
        body = sequence(
            [self.statement(self.rng.choice(DEPTHS)) for _ in range(self.rng.choice(SIZES))]
        )
        verdict = cast(s32, self.typed(2))
        name = f"p{self.seed}"
        lines = [
            *functions,
            "@skep.xdp",
            f"def {name}(ctx):",
            "    v = ctx.view(In)",
            f"    o = ctx.view(Out, {OUT_OFFSET})",
            "    if v is None or o is None:",
            "        return 0",
            *indented(used(memory, [*body.lines, verdict.text])),
            *indented(body.lines),
            f"    return {verdict.text}",
        ]

        def run(packet: bytes, world: object) -> tuple[int, bytes]:
            given, left = In.from_bytes(packet), Out.from_bytes(packet[OUT_OFFSET:])
            tail = bytearray(packet[OUT_OFFSET + Out.size :])
            held = {"in": dict(given), "out": dict(left), "tail": tail, "world": world}
            env: Env = held | self.fresh()
            ended = body.run(env)
            result = ended.value if isinstance(ended, Return) else verdict.value(env)
            return result, packet[:OUT_OFFSET] + Out(**env["out"]).to_bytes() + tail

        return Program(name, "\n".join(lines) + "\n", run, plain=not self.mixed)


SIZES, DEPTHS = (1, 1, 1, 2, 2, 3, 5), (1, 1, 2)
"""Statements of programs, and how deep: small ones show what goes wrong, larger ones how things meet."""
