"""Effects in random programs: the order of calls, numbers that change behind pointers, truth values kept by name.

As in ``random_programs``, each piece of source goes with a function of plain Python, which is its rule.
"""

from dataclasses import dataclass, field
from typing import Any

from skep.lang.types import u32, u64
from tests.kernel.lang.random_idioms import Idioms
from tests.kernel.lang.random_kept import NUMBER, Level
from tests.kernel.lang.reference import E, Env, S, cast

FACTOR, STEP = 31, 5


def told(held: dict[str, Any], by: int) -> int:
    """What ``noted`` and ``says`` leave in a Value."""
    held["big"] = u64.wrap(held["big"] * FACTOR + by)
    return int(held["big"])


@dataclass
class Effects(Idioms):
    """Makes one program from a seed, of all that Idioms make and of parts whose order shows."""

    truths: list[str] = field(default_factory=list)

    # --- expressions --------------------------------------------------------------------------------------------------

    def typed(self, depth: int) -> E:
        """An expression of any sort."""
        if self.rng.random() < 0.93:
            return super().typed(depth)
        if self.inside is None and self.rng.random() < 0.7:
            return self.noted(depth)
        return self.power(depth)

    def noted(self, _depth: int) -> E:
        """A call that changes what others read."""
        name, of = self.rng.choice((("n", _of_stack), ("state", _of_world)))
        by = cast(u32, self.leaf())
        return E(f"noted({name}, {by.text})", u64, lambda env: told(of(env), by.value(env)))

    def power(self, depth: int) -> E:
        """The slot of a histogram."""
        inner = cast(u64, self.typed(min(depth, 1)))
        return E(
            f"skep.log2({inner.text})", u32, lambda env: max(inner.value(env).bit_length() - 1, 0)
        )

    def operand(self, depth: int) -> E:
        """As others, or a captured constant."""
        if self.rng.random() < 0.95:
            return super().operand(depth)
        text, value = self.rng.choice(CAPTURED)
        return E(text, None, lambda _: value)

    def condition(self, depth: int) -> E:
        """A truth value of any sort."""
        roll = self.rng.random()
        if self.inside is not None or roll > 0.12:
            return super().condition(depth)
        if self.truths and roll < 0.06:
            name = self.rng.choice(self.truths)
            return E(name, None, lambda env: int(env[name]))
        name, of = self.rng.choice((("n", _of_stack), ("state", _of_world)))
        by = cast(u32, self.leaf())
        return E(
            f"says({name}, {by.text})",
            None,
            lambda env: int(told(of(env), by.value(env)) & 2 == 0),
        )

    # --- statements ---------------------------------------------------------------------------------------------------

    def statement(self, depth: int) -> S:
        """A statement of any sort."""
        if self.inside is not None or self.rng.random() < 0.96:
            return super().statement(depth)
        return self.truth_value(depth)

    def block(self, depth: int, count: int) -> S:
        """Some statements; truth values that are born inside end there."""
        before = list(self.truths)
        made = super().block(depth, count)
        self.truths = before
        return made

    def truth_value(self, _depth: int) -> S:
        """A truth value gets a name, or changes."""
        test = self.condition(2)
        if self.truths and self.rng.random() < 0.5:
            name, word = self.rng.choice(self.truths), self.rng.choice(("and", "or"))

            def change(env: Env) -> None:
                ends = bool(env[name]) == (word == "or")
                env[name] = int(env[name] if ends else test.value(env))

            return S([f"{name} = {name} {word} {test.text}"], change)
        self.names += 1
        name = f"b{self.names}"
        self.truths.append(name)
        return S([f"{name} = {test.text}"], lambda env: env.update({name: test.value(env)}))

    def _where_it_is(self, leaf: E, depth: int) -> S:
        """As others; a function may be given the pointer while the number is read."""
        before, name = list(self.leaves), leaf.text.removesuffix("[0]")
        wide = leaf.text == f"{name}[0]" and leaf.kind is not None and leaf.kind.bits >= 32
        if wide and self.rng.random() < 0.5:
            self.leaves += [self._raised(name, leaf)] * 8
        made = super()._where_it_is(leaf, depth)
        self.leaves = before
        return made

    def _raised(self, name: str, leaf: E) -> E:
        assert leaf.kind is not None
        kind = leaf.kind

        def rise(env: Env) -> int:
            env[name][0] = kind.wrap(env[name][0] + STEP)
            return int(env[name][0])

        forms = [
            E(f"({name} + raised({name}))", kind, lambda env: kind.wrap(env[name][0] + rise(env))),
            E(f"(raised({name}) ^ {name})", kind, lambda env: kind.wrap(rise(env) ^ env[name][0])),
            E(f"min({name}, raised({name}))", kind, lambda env: min(env[name][0], rise(env))),
        ]
        return self.rng.choice(forms)


def _of_stack(env: Env) -> dict[str, Any]:
    held: dict[str, Any] = env["n"]
    return held


def _of_world(env: Env) -> dict[str, Any]:
    held: dict[str, Any] = env["world"].state
    return held


CAPTURED = (
    ("NUMBER", NUMBER),
    *((f"Level.{level.name}", int(level)) for level in Level),
    ("len(CHOICES)", 4),
    ('ord("R")', ord("R")),
)
"""Numbers that a program does not write out."""
