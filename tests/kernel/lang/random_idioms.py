"""Idioms of Python in random programs: several targets, divmod, names within conditions, loops over elements, else.

As in ``random_programs``, each piece of source goes with a function of plain Python, which is its rule.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from skep.lang.types import IntType, s64, u32
from tests.kernel.lang.random_memory import Memories
from tests.kernel.lang.random_world import CHOICES
from tests.kernel.lang.reference import (
    EXACT,
    KINDS,
    SCRATCH,
    E,
    Ended,
    Env,
    Return,
    S,
    cast,
    fitting,
    indented,
    promoted,
)


@dataclass
class Idioms(Memories):
    """Makes one program from a seed, of all that there is."""

    def statement(self, depth: int) -> S:
        """A statement of any sort."""
        if self.rng.random() < 0.88:
            return super().statement(depth)
        made: list[Callable[[int], S]] = [self.twice, self.divided]
        if depth > 0:
            made += [self.named_within, self.elements, self.numbered, self.searched]
        return self.rng.choice(made)(depth)

    def born(self, kind: IntType) -> tuple[str, list[str]]:
        """A new variable, and the line that declares it."""
        self.names += 1
        name = f"x{self.names}"
        return name, [f"{name}: {kind!r} = 0"] if self.declared else []

    def unary(self, depth: int) -> E:
        """As others, or ``abs``."""
        if self.rng.random() < 0.7:
            return super().unary(depth)
        inner = self.typed(depth)
        kind = promoted(inner.kind or s64)
        return E(f"abs({inner.text})", kind, lambda env: kind.wrap(abs(inner.value(env))))

    def extreme(self, depth: int) -> E:
        """As others, or of three."""
        if self.rng.random() < 0.7:
            return super().extreme(depth)
        kind = self.rng.choice(KINDS)
        sides = [cast(kind, self.typed(depth)) for _ in range(3)]
        name, choose = self.rng.choice((("min", min), ("max", max)))
        text = f"{name}({', '.join(side.text for side in sides)})"
        return E(text, promoted(kind), lambda env: choose(side.value(env) for side in sides))

    def twice(self, _depth: int) -> S:
        """``a = b = value``."""
        if not self.variables:
            return self.new(0)
        one = self.rng.choice(list(self.variables))
        kind = self.variables[one]
        same = [name for name, had in self.variables.items() if had is kind and name != one]
        other = self.rng.choice(same or [one])
        value = cast(kind, self.typed(2))

        def run(env: Env) -> None:
            env[one] = env[other] = value.value(env)

        return S([f"{one} = {other} = {value.text}"], run)

    def divided(self, depth: int) -> S:
        """``q, r = divmod(a, b)``."""
        left, right, kind = self.pair(min(depth, 1))
        left, right = (fitting(side, kind) for side in (left, right))
        (q, first), (r, second) = self.born(kind), self.born(kind)
        self.variables |= {q: kind, r: kind}

        def run(env: Env) -> None:
            a, b = kind.wrap(left.value(env)), kind.wrap(right.value(env))
            env[q], env[r] = kind.wrap(EXACT["//"](a, b)), kind.wrap(EXACT["%"](a, b))

        return S([*first, *second, f"{q}, {r} = divmod({left.text}, {right.text})"], run)

    def named_within(self, depth: int) -> S:
        """``if (n := value) > other``."""
        value = cast(self.rng.choice(list(self.variables.values()) or [u32]), self.typed(2))
        assert value.kind is not None
        kind = value.kind
        name, first = self.born(kind)
        limit = self.rng.randrange(1, 100)
        self.variables[name] = kind
        body = self.block(depth - 1, 2)

        def run(env: Env) -> Ended:
            env[name] = value.value(env)
            return body.run(env) if env[name] > limit else None

        return S(
            [*first, f"if ({name} := {value.text}) > {limit}:", *indented(body.lines)],
            run,
        )

    def _rounds(self, depth: int, head: str, leaves: list[E], rounds: "Rounds") -> S:
        """A loop, and what follows where nothing broke it."""
        before = dict(self.variables), list(self.leaves)
        self.leaves += leaves
        self.loops += 1
        body = self.block(depth - 1, 2)
        self.loops -= 1
        self.variables, self.leaves = before
        other = self.block(depth - 1, 2) if self.rng.random() < 0.5 else None
        lines = [head, *indented(body.lines)]
        lines += ["else:", *indented(other.lines)] if other else []

        def run(env: Env) -> Ended:
            for bind in rounds(env):
                bind()
                ended = body.run(env)
                if ended == "break":
                    return None
                if isinstance(ended, Return):
                    return ended
            return other.run(env) if other else None

        return S(lines, run)

    def elements(self, depth: int) -> S:
        """A loop over the elements of an array, from either end."""
        if self.looped() or self.inside is not None:
            return self.twice(depth)
        name, back = self.born(u32)[0], self.rng.random() < 0.3
        places = range(SCRATCH)[::-1] if back else range(SCRATCH)

        def rounds(env: Env) -> Sequence[Callable[[], None]]:
            return [lambda at=at: env.update({name: env["m"][at]}) for at in places]  # type: ignore[misc]

        head = f"for {name} in {'reversed(m)' if back else 'm'}:"
        return self._rounds(depth, head, [E(name, u32, lambda env: env[name])], rounds)

    def numbered(self, depth: int) -> S:
        """A loop over two tuples together, or one with its places."""
        if self.looped():
            return self.twice(depth)
        one, other = self.born(u32)[0], self.born(u32)[0]
        counts = self.rng.random() < 0.5
        head = f"for {one}, {other} in zip(CHOICES, reversed(CHOICES)):"
        pairs = list(zip(CHOICES, reversed(CHOICES), strict=True))
        if counts:
            head, pairs = f"for {one}, {other} in enumerate(CHOICES):", list(enumerate(CHOICES))

        def rounds(env: Env) -> Sequence[Callable[[], None]]:
            return [lambda a=a, b=b: env.update({one: a, other: b}) for a, b in pairs]  # type: ignore[misc]

        leaves = [
            E(f"u32({one})", u32, lambda env: env[one]),
            E(f"u32({other})", u32, lambda env: env[other]),
        ]
        return self._rounds(depth, head, leaves, rounds)

    def searched(self, depth: int) -> S:
        """A short range from a place that is worked out."""
        if self.looped():
            return self.twice(depth)
        begin, first = self.born(u32)
        name, count = self.born(u32)[0], self.rng.randrange(1, 6)
        start = cast(u32, self.typed(1))
        small = E(f"({start.text} & 255)", u32, lambda env: start.value(env) & 255)

        def rounds(env: Env) -> Sequence[Callable[[], None]]:
            low = env[begin] = small.value(env)
            return [lambda at=at: env.update({name: at}) for at in range(low, low + count)]  # type: ignore[misc]

        head = f"for {name} in range({begin}, {begin} + {count}):"
        made = self._rounds(depth, head, [E(name, u32, lambda env: env[name])], rounds)
        return S([*first, f"{begin} = {small.text}", *made.lines], made.run)


Rounds = Callable[[Env], Sequence[Callable[[], None]]]
"""What binds a loop's variables, for each round."""
