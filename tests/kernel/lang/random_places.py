"""Structs in arrays in random programs: two names of one place, copies, exchanges, parts that functions are given.

As in ``random_programs``, each piece of source goes with a function of plain Python, which is its rule. A struct in
memory is, by the rules, a table of numbers by their paths, and where it begins in it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from skep.lang.struct import pack, unpack
from skep.lang.types import IntType, s16, s32, s64, u16, u32
from tests.kernel.lang.random_kept import CELL, DEEP, ENTRIES, Cell
from tests.kernel.lang.random_loops import Loops
from tests.kernel.lang.random_maps import IDLE
from tests.kernel.lang.random_world import TAIL_OFFSET, kept
from tests.kernel.lang.reference import EXACT, LOADED, TAIL, E, Ended, Env, S, cast, indented

Spot = tuple[Any, str]
Where = Callable[[Env], Spot]
BITWISE: dict[str, Callable[[int, int], int]] = {
    "|": lambda a, b: a | b,
    "&": lambda a, b: a & b,
    "^": lambda a, b: a ^ b,
}
FIELDS = {field.name: field for field in Cell.fields}


class TailCell:
    """A Cell in the last bytes of the packet, by the names of its fields."""

    def __init__(self, data: bytearray, at: int) -> None:
        self.data, self.at = data, at

    def _part(self, name: str) -> slice:
        start = self.at + FIELDS[name].offset
        return slice(start, start + CELL[name].size)

    def __getitem__(self, name: str) -> int:
        return int(unpack(CELL[name], bytes(self.data[self._part(name)])))

    def __setitem__(self, name: str, value: int) -> None:
        self.data[self._part(name)] = pack(CELL[name], value)


@dataclass
class Places(Loops):
    """Makes one program from a seed, of all that Loops make and of structs in arrays.

    ``deeps``: what holds arrays of structs. ``spots``: structs that have a name, and whether they lie in a packet.
    """

    deeps: dict[str, Where] = field(default_factory=dict)
    spots: dict[str, tuple[Where, bool]] = field(default_factory=dict)

    def statement(self, depth: int) -> S:
        """A statement of any sort."""
        if self.inside is not None or self.rng.random() < 0.86:
            return super().statement(depth)
        made: list[Callable[[int], S]] = [
            *(self.spot_put, self.spot_put, self.deep_put, self.deep_put, self.spot_copy),
            *(self.exchanged, self.spot_made, self.whole_changed, self.part_given, self.deep_kept),
        ]
        if depth > 0:
            made += [self.second_name, self.second_name, self.deep_found, self.spot_seen]
            made += [self.each_spot, self.each_number]
        return self.rng.choice(made)(depth)

    # --- places -------------------------------------------------------------------------------------------------------

    def _deep(self) -> tuple[str, Where]:
        return self.rng.choice(list(self.deeps.items()))

    def _in_array(self) -> tuple[str, Where]:
        """A struct in an array, at an index that is worked out, known, or counted from the end."""
        name, of = self._deep()
        roll = self.rng.random()
        if roll < 0.4:
            index = self.rng.randrange(-4, 4)
            return f"{name}.cells[{index}]", lambda env: (of(env)[0], f"cells[{index % 4}].")
        inner, bound = self.typed(1), self.rng.choice(("& 3", "% 3"))
        worked = cast(u32, inner)
        many = 4 if bound == "& 3" else 3

        def where(env: Env) -> Spot:
            held = of(env)[0]
            return held, f"cells[{worked.value(env) % many}]."

        return f"{name}.cells[{worked.text} {bound}]", where

    def _spot(self) -> tuple[str, Where, bool]:
        """A struct, by any name; whether it lies in a packet."""
        if self.spots and self.rng.random() < 0.5:
            name, (where, packet) = self.rng.choice(list(self.spots.items()))
            return name, where, packet
        return *self._in_array(), False

    def _number(self) -> tuple[str, Where, IntType]:
        """A number of what holds arrays."""
        name, of = self._deep()
        form = self.rng.choice(("count", "signed", "wide", "last"))
        if form == "count":
            return f"{name}.count", lambda env: (of(env)[0], "count"), u32
        if form == "last":
            return f"{name}.wide[-1]", lambda env: (of(env)[0], "wide[2]"), s64
        many, bound = (4, "& 3") if form == "signed" else (3, "% 3")
        index = cast(u32, self.typed(1))

        def where(env: Env) -> Spot:
            held = of(env)[0]
            return held, f"{form}[{index.value(env) % many}]"

        return f"{name}.{form}[{index.text} {bound}]", where, s16 if form == "signed" else s64

    def _set(self, text: str, where: Where, part: str, kind: IntType) -> S:
        """A number is set, or changes in place."""
        held = LOADED.get(kind, kind)
        value, op = cast(held, self.operand(2)), self.rng.choice(("", "", "+", "-", "^", "*"))

        def run(env: Env) -> None:
            if not op:
                number = value.value(env)
                table, start = where(env)
                table[start + part] = kind.wrap(number)
                return
            table, start = where(env)
            was = table[start + part]
            table[start + part] = kind.wrap(EXACT[op](was, value.value(env)))

        return S([f"{text} {op}= {value.text}"], run)

    # --- statements ---------------------------------------------------------------------------------------------------

    def spot_put(self, _depth: int) -> S:
        """A field of a struct in an array."""
        text, where, _ = self._spot()
        name = self.rng.choice(list(CELL))
        return self._set(f"{text}.{name}", where, name, CELL[name])

    def deep_put(self, _depth: int) -> S:
        """An element of an array of numbers."""
        text, where, kind = self._number()
        return self._set(text, where, "", kind)

    def spot_copy(self, _depth: int) -> S:
        """A struct is copied over another one."""
        (text, to), (other, of, _) = self._in_array(), self._spot()

        def run(env: Env) -> None:
            source = of(env)
            _write(to(env), _read(source))

        return S([f"{text} = {other}"], run)

    def exchanged(self, _depth: int) -> S:
        """Structs, or arrays, change their places."""
        if self.rng.random() < 0.6:
            (one, at), (two, beside) = self._in_array(), self._in_array()

            def swap(env: Env) -> None:
                first, second = _read(beside(env)), _read(at(env))
                _write(at(env), first)
                _write(beside(env), second)

            return S([f"{one}, {two} = {two}, {one}"], swap)
        (one, of), (two, other) = self._deep(), self._deep()

        def exchange(env: Env) -> None:
            a, b = of(env)[0], other(env)[0]
            for path in (f"signed[{i}]" for i in range(4)):
                a[path], b[path] = b[path], a[path]

        return S([f"{one}.signed, {two}.signed = {two}.signed, {one}.signed"], exchange)

    def spot_made(self, _depth: int) -> S:
        """A struct is made anew, by position and by name."""
        (text, to), values = (
            self._in_array(),
            {n: cast(LOADED.get(k, k), self.operand(1)) for n, k in CELL.items()},
        )
        given = self.rng.choice(("ab", "abd", "abcd"))
        listed = [values["a"].text, *(f"{n}={values[n].text}" for n in given[1:])]

        def run(env: Env) -> None:
            made = {n: values[n].value(env) if n in given else 0 for n in CELL}
            _write(to(env), made)

        return S([f"{text} = Cell({', '.join(listed)})"], run)

    def whole_changed(self, _depth: int) -> S:
        """An array changes as a whole."""
        (one, of), (two, other) = self._deep(), self._deep()
        op, part = self.rng.choice(list(BITWISE)), self.rng.choice(("signed", "wide"))

        def run(env: Env) -> None:
            a, b = of(env)[0], other(env)[0]
            for path in [path for path in DEEP if path.startswith(part)]:
                a[path] = DEEP[path].wrap(BITWISE[op](a[path], b[path]))

        return S([f"{one}.{part} {op}= {two}.{part}"], run)

    def part_given(self, _depth: int) -> S:
        """A struct in an array is handed to a function, which changes it."""
        (text, where, packet), by = self._spot(), cast(u32, self.operand(1))
        functions = ("touch", "touched") if packet else ("touch", "touched", "touched_alone")
        name = self.born(u32)[0]
        self.variables[name] = u32
        typed = f"{name}: u32" if self.declared else name

        def run(env: Env) -> None:
            table, start = where(env)
            number = by.value(env)
            table[f"{start}a"] = CELL["a"].wrap(table[f"{start}a"] + number)
            table[f"{start}d"] = s32.wrap(table[f"{start}d"] - s32.wrap(number))
            env[name] = u32.wrap(table[f"{start}c"] + table[f"{start}a"])

        return S([f"{typed} = {self.rng.choice(functions)}({text}, {by.text})"], run)

    def deep_kept(self, _depth: int) -> S:
        """A struct goes into a map."""
        if self.pointing:
            return IDLE
        key, (name, of) = self._key(u16), self._deep()
        if self.rng.random() < 0.3:

            def drop(env: Env) -> None:
                env["world"].kept.deeps.pop(key.value(env), None)

            return S([f"del deeps[{key.text}]"], drop)

        def run(env: Env) -> None:
            world, at = env["world"].kept, key.value(env)
            held = dict(of(env)[0])
            if at in world.deeps:
                world.deeps[at].update(held)
            world.deeps = kept(world.deeps, at, world.deeps.get(at, held))

        return S([f"deeps[{key.text}] = {name}"], run)

    def second_name(self, depth: int) -> S:
        """A struct in an array has a name of its own: what is written by one is read by the other."""
        text, where = self._in_array()
        self.names += 1
        name = f"q{self.names}"
        body = self._with_spot(depth, name, packet=False)

        def run(env: Env) -> Ended:
            env[name] = where(env)
            return body.run(env)

        return S([f"{name} = {text}", *body.lines], run)

    def _with_spot(self, depth: int, name: str, *, packet: bool) -> S:
        """A block in which a struct has a name."""
        leaves, spots = list(self.leaves), dict(self.spots)
        self.spots[name] = (lambda env: env[name]), packet
        self.leaves += self._fields(name)
        first = self.spot_put(depth)
        body = self.block(depth - 1, 3)
        self.leaves, self.spots = leaves, spots
        return S(
            [*first.lines, *body.lines],
            lambda env: first.run(env) or body.run(env),
        )

    def _fields(self, name: str) -> list[E]:
        def value(env: Env, part: str) -> int:
            table, start = env[name]
            return int(table[start + part])

        return [
            E(f"{name}.{part}", LOADED.get(kind, kind), lambda env, part=part: value(env, part))  # type: ignore[misc]
            for part, kind in CELL.items()
        ]

    def deep_found(self, depth: int) -> S:
        """What holds arrays is found in a map, or made there."""
        key = self._key(u16)
        self.names += 1
        name = f"h{self.names}"
        makes = not self.pointing and self.rng.random() < 0.4
        self.deeps[name] = lambda env: (env[name], "")
        self.pointing += 1
        first, body = self.spot_put(depth), self.block(depth - 1, 3)
        self.pointing -= 1
        del self.deeps[name]

        def run(env: Env) -> Ended:
            world, at = env["world"].kept, key.value(env)
            if makes and at not in world.deeps and len(world.deeps) < ENTRIES:
                world.deeps[at] = dict.fromkeys(DEEP, 0)
            env[name] = world.deeps.get(at)
            if env[name] is None:
                return None
            return first.run(env) or body.run(env)

        lines = [f"{name} = deeps.{'setdefault' if makes else 'lookup'}({key.text})"]
        lines += [f"if {name} is not None:", *indented([*first.lines, *body.lines])]
        return S(lines, run)

    def spot_seen(self, depth: int) -> S:
        """A view of the packet as a struct, at a place that is worked out."""
        at = self.typed(1)
        self.names += 1
        name = f"view{self.names}"
        body = self._with_spot(depth, name, packet=True)

        def run(env: Env) -> Ended:
            where = at.value(env) & 31
            if where + Cell.size > TAIL:
                return None
            env[name] = TailCell(env["tail"], where), ""
            return body.run(env)

        head = f"{name} = ctx.view(Cell, {TAIL_OFFSET} + ({at.text} & 31))"
        return S([head, f"if {name} is not None:", *indented(body.lines)], run)

    def each_spot(self, depth: int) -> S:
        """A loop over the structs of an array."""
        if self.looped():
            return self.spot_put(depth)
        (text, of), back = self._deep(), self.rng.random() < 0.3
        self.names += 1
        name = f"q{self.names}"
        places = range(4)[:: -1 if back else 1]
        spots = dict(self.spots)
        self.spots[name] = (lambda env: env[name]), False

        def rounds(env: Env) -> Sequence[Callable[[], None]]:
            held = of(env)[0]
            return [lambda at=at: env.update({name: (held, f"cells[{at}].")}) for at in places]  # type: ignore[misc]

        head = f"for {name} in {'reversed(' if back else ''}{text}.cells{')' if back else ''}:"
        made = self._rounds(depth, head, self._fields(name), rounds)
        self.spots = spots
        return made

    def each_number(self, depth: int) -> S:
        """A loop over two arrays of numbers together, or over one with its places."""
        if self.looped():
            return self.deep_put(depth)
        (text, of), (other, beside) = self._deep(), self._deep()
        one, two = self.born(u32)[0], self.born(u32)[0]
        counts = self.rng.random() < 0.5
        head = f"for {one}, {two} in enumerate({text}.signed, 2):"
        if not counts:
            head = f"for {one}, {two} in zip({text}.signed, {other}.wide):"

        def rounds(env: Env) -> Sequence[Callable[[], None]]:
            held, more = of(env)[0], beside(env)[0]

            def bind(at: int) -> None:
                number = held[f"signed[{at}]"]
                env[one], env[two] = (at + 2, number) if counts else (number, more[f"wide[{at}]"])

            return [lambda at=at: bind(at) for at in range(4 if counts else 3)]  # type: ignore[misc]

        kinds = (None, s16) if counts else (s16, s64)
        leaves = [
            E(name if kind else f"u32({name})", kind or u32, lambda env, name=name: env[name])  # type: ignore[misc]
            for name, kind in zip((one, two), kinds, strict=True)
        ]
        return self._rounds(depth, head, leaves, rounds)

    # --- conditions ---------------------------------------------------------------------------------------------------

    def condition(self, depth: int) -> E:
        """A truth value of any sort."""
        if self.inside is not None or self.rng.random() < 0.96:
            return super().condition(depth)
        (name, of), part = self._deep(), self.rng.choice(("signed", "wide"))
        paths = [path for path in DEEP if path.startswith(part)]
        if self.rng.random() < 0.5:
            other, beside = self._deep()
            return E(
                f"({name}.{part} == {other}.{part})",
                None,
                lambda env: int(all(of(env)[0][p] == beside(env)[0][p] for p in paths)),
            )
        item = cast(s32 if part == "signed" else s64, self.leaf())

        def within(env: Env) -> int:
            value = item.value(env)
            return int(value in [of(env)[0][path] for path in paths])

        return E(f"({item.text} in {name}.{part})", None, within)

    def memory(self) -> list[str]:
        """What the program has on the stack, and beside it."""
        lines = super().memory()
        self.deeps = {
            "d": lambda env: (env["d"], ""),
            "deep": lambda env: (env["world"].kept.deep, ""),
        }
        for name, of in self.deeps.items():
            for path in self.rng.sample(list(DEEP), 2):
                kind = LOADED.get(DEEP[path], DEEP[path])
                value = lambda env, of=of, path=path: of(env)[0][path]  # noqa: E731
                self.leaves.append(E(f"{name}.{path}", kind, value))
        return [*lines, "d = Deep()"]

    def fresh(self) -> Env:
        """What is on the stack when a program begins."""
        return super().fresh() | {"d": dict.fromkeys(DEEP, 0)}


def _read(spot: Spot) -> dict[str, int]:
    table, start = spot
    return {name: table[start + name] for name in CELL}


def _write(spot: Spot, made: dict[str, int]) -> None:
    table, start = spot
    for name, number in made.items():
        table[start + name] = CELL[name].wrap(number)
