"""More loops in random programs: within each other, with ``else``, of no rounds, and what is left behind them.

As in ``random_programs``, each piece of source goes with a function of plain Python, which is its rule.
"""

from dataclasses import dataclass, field

from skep.lang.types import s8, s16, s32, s64, u8, u16, u32, u64
from tests.kernel.lang.random_functions import Functions
from tests.kernel.lang.reference import E, Ended, Env, Return, S, indented, promoted


@dataclass
class Loops(Functions):
    """Makes one program from a seed, of all that Functions make and of more loops.

    ``nests``: its loops stand within each other.
    """

    nests: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.nests = self.rng.random() < 0.15

    def looped(self) -> bool:
        """Whether there are loops enough around what comes."""
        return self.loops > (1 if self.nests else 0)

    def statement(self, depth: int) -> S:
        """A statement of any sort."""
        if depth <= 0 or self.looped() or self.rng.random() < (0.7 if self.nests else 0.94):
            return super().statement(depth)
        return self.rng.choice((self.counted, self.counted, self.down))(depth)

    def counted(self, depth: int) -> S:
        """A range of constants, perhaps of no rounds, whose variable is there before and stays."""
        kind = self.rng.choice((u8, s8, u16, s16, u32, s32, u64, s64))
        low, high = (self.rng.randrange(-4 if kind.signed else 0, 7) for _ in range(2))
        step, first = self.rng.choice((1, 1, 2, -1, -2)), self.rng.randrange(100)
        self.names += 1
        name = f"r{self.names}"
        held = kind if self.declared else promoted(kind)
        place = E(name, held, lambda env: env[name])
        body, other = self._within(depth, [place])
        declared = f"{name}: {kind!r} = {first}" if self.declared else f"{name} = {kind!r}({first})"
        head = f"for {name} in range({kind!r}({low}), {high}, {step}):"
        lines = [declared, head, *indented(body.lines)]
        lines += ["else:", *indented(other.lines)] if other else []
        self.variables[name] = held

        def run(env: Env) -> Ended:
            env[name] = first
            for number in range(low, high, step):
                env[name] = number
                ended = body.run(env)
                if ended == "break":
                    return None
                if isinstance(ended, Return):
                    return ended
            return other.run(env) if other else None

        return S(lines, run)

    def down(self, depth: int) -> S:
        """``while`` counts down to zero, with ``else``."""
        kind = self.rng.choice((u8, u16, u32, u64, s32, s64))
        self.names += 1
        name, first = f"v{self.names}", self.rng.randrange(6)
        body, other = self._within(depth, [E(name, kind, lambda env: env[name])])
        declared = f"{name}: {kind!r} = {first}" if self.declared else f"{name} = {kind!r}({first})"
        test = self.rng.choice(("{} > 0", "{}", "{} != 0")).format(name)
        lines = [declared, f"while {test}:", f"    {name} -= 1", *indented(body.lines)]
        lines += ["else:", *indented(other.lines)] if other else []

        def run(env: Env) -> Ended:
            env[name] = first
            while env[name] > 0:
                env[name] -= 1
                ended = body.run(env)
                if ended == "break":
                    return None
                if isinstance(ended, Return):
                    return ended
            return other.run(env) if other else None

        return S(lines, run)

    def _within(self, depth: int, leaves: list[E]) -> tuple[S, S | None]:
        """The body of a loop, and what follows where nothing broke it."""
        before = dict(self.variables), list(self.leaves)
        self.leaves += leaves
        self.loops += 1
        body = self.block(depth - 1, 3)
        self.loops -= 1
        self.variables, self.leaves = before
        return body, self.block(depth - 1, 2) if self.rng.random() < 0.5 else None
