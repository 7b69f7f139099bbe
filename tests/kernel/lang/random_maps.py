"""Maps, queues and records in random programs. What they hold is known after each run.

As in ``random_programs``, each piece of source goes with a function of plain Python, which is its rule.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from skep.lang.types import IntType, s32, u16, u32, u64
from tests.kernel.lang.random_constructs import Constructs
from tests.kernel.lang.random_world import (
    ABSENT,
    ATOMICS,
    ENTRIES,
    FULL,
    PATHS,
    Held,
    array_updated,
    cell_of,
    kept,
    updated,
)
from tests.kernel.lang.reference import (
    EXACT,
    LOADED,
    E,
    Ended,
    Env,
    S,
    cast,
    indented,
    promoted,
)


def nothing(_env: Env) -> None:
    """No effect."""


IDLE = S(["pass"], nothing)


@dataclass
class Maps(Constructs):
    """What programs do with maps. ``structs`` are the Values that a statement may use.

    ``pointing`` counts the pointers into maps that are in use: meanwhile no entry comes or goes.
    """

    pointing: int = 0
    structs: dict[str, Callable[[Env], Held]] = field(default_factory=dict)

    def _struct(self) -> tuple[str, Callable[[Env], Held]]:
        return self.rng.choice(list(self.structs.items()))

    # --- tables -------------------------------------------------------------------------------------------------------

    def _key(self, kind: IntType) -> E:
        inner = self.typed(1)
        made = E(f"({inner.text} & 7)", None, lambda env: inner.value(env) & 7)
        return cast(kind, made)

    def set_entry(self, _depth: int) -> S:
        """``m[key] = value``, where there is room."""
        if self.pointing:
            return IDLE
        if self.rng.random() < 0.4:
            key, (name, of) = self._key(u16), self._struct()

            def put(env: Env) -> None:
                env["world"].values = kept(env["world"].values, key.value(env), dict(of(env)))

            return S([f"values[{key.text}] = {name}"], put) if name == "n" else IDLE
        key, value = self._key(u32), cast(u64, self.operand(2))

        def run(env: Env) -> None:
            number, at = value.value(env), key.value(env)
            env["world"].table = kept(env["world"].table, at, [number])

        return S([f"table[{key.text}] = {value.text}"], run)

    def tried(self, _depth: int) -> S:
        """``update`` and ``delete``, whose result is looked at."""
        if self.pointing:
            return IDLE
        self.names += 1
        name, key, flags = f"x{self.names}", self._key(u32), self.rng.randrange(3)
        value = cast(u64, self.operand(1))
        array = self.rng.random() < 0.3
        removes = self.rng.random() < 0.3
        held = "cells" if array else "table"
        value = cast(u32, value) if array else value
        self.variables[name] = s32
        typed = f"{name}: s32" if self.declared else name

        def run(env: Env) -> None:
            world, at = env["world"], key.value(env)
            number = 0 if removes else value.value(env)
            if array:
                env[name] = array_updated(world, at, number, -1 if removes else flags)
            elif removes:
                env[name] = ABSENT if world.table.pop(at, None) is None else 0
            else:
                env[name] = updated(world, at, number, flags)

        call = f"delete({key.text})" if removes else f"update({key.text}, {value.text}, {flags})"
        return S([f"{typed} = {held}.{call}"], run)

    def count(self, _depth: int) -> S:
        """``increment``."""
        if self.pointing:
            return IDLE
        name, kind = self.rng.choice((("table", u64), ("cells", u32)))
        key, by = self._key(u32), cast(kind, self.operand(1))

        def run(env: Env) -> None:
            world, at, number = env["world"], key.value(env), by.value(env)
            held = cell_of(world, name, at)
            if held is not None:
                held[0] = kind.wrap(held[0] + number)
            elif name == "table":
                world.table = kept(world.table, at, [number])

        return S([f"{name}.increment({key.text}, {by.text})"], run)

    def forget(self, _depth: int) -> S:
        """``del m[key]``."""
        if self.pointing:
            return IDLE
        name, kind = self.rng.choice((("table", u32), ("values", u16)))
        key = self._key(kind)

        def run(env: Env) -> None:
            getattr(env["world"], name).pop(key.value(env), None)

        return S([f"del {name}[{key.text}]"], run)

    def look(self, depth: int) -> S:
        """``lookup``, and what to do with what it gives, or without."""
        name, kind = self.rng.choice((("table", u64), ("cells", u32)))
        key = self._key(u32)
        return self._pointer(
            depth,
            f"{name}.lookup({key.text})",
            kind,
            lambda env: cell_of(env["world"], name, key.value(env)),
        )

    def pop(self, depth: int) -> S:
        """``pop`` and ``peek``: a copy of its own."""
        takes = self.rng.random() < 0.7

        def of(env: Env) -> list[int] | None:
            held = env["world"].jobs
            if not held:
                return None
            return [held.pop(0) if takes else held[0]]

        return self._pointer(depth, f"jobs.{'pop' if takes else 'peek'}()", u32, of)

    def _pointer(self, depth: int, call: str, kind: IntType, of: Callable[[Env], Any]) -> S:
        """A pointer to a number, or None."""
        self.names += 1
        name, held = f"c{self.names}", LOADED.get(kind, kind)
        reads = f"{name}[0]", held
        if self.rng.random() < 0.4:
            reads = f"({name} + 0)", promoted(held)
        leaf = E(*reads, lambda env: env[name][0])
        body = self._where_it_is(leaf, depth)
        change = self._changed(name, kind)
        lines = [f"{name} = {call}", self.rng.choice((f"if {name} is not None:", f"if {name}:"))]
        lines += indented([*change.lines, *body.lines])
        other = self.block(depth - 1, 2) if self.rng.random() < 0.4 else None
        lines += ["else:", *indented(other.lines)] if other else []

        def run(env: Env) -> Ended:
            env[name] = of(env)
            if env[name] is None:
                return other.run(env) if other else None
            change.run(env)
            return body.run(env)

        return S(lines, run)

    def _where_it_is(self, leaf: E, depth: int) -> S:
        """A block in which a pointer is not None."""
        before = list(self.leaves)
        self.leaves += [leaf, leaf]
        self.pointing += 1
        body = self.block(depth - 1, 2)
        self.pointing -= 1
        self.leaves = before
        return body

    def _changed(self, name: str, kind: IntType) -> S:
        held = LOADED.get(kind, kind)
        value, op = cast(held, self.operand(1)), self.rng.choice(("", "+", "-", "^", "*"))

        def run(env: Env) -> None:
            was = env[name][0]
            number = value.value(env)
            env[name][0] = held.wrap(EXACT[op](was, number) if op else number)

        place = name if op else f"{name}[0]"
        return S([f"{place} {op}= {value.text}"], run)

    def look_at_struct(self, depth: int) -> S:
        """A lookup of a Struct, whose fields the block uses."""
        key = self._key(u16)
        self.names += 1
        name = f"c{self.names}"
        call = self.rng.choice(("values.lookup({})", "found(values, {})")).format(key.text)
        path = self.rng.choice(list(PATHS))
        kind = LOADED.get(PATHS[path], PATHS[path])
        self.structs[name] = lambda env: env[name]
        body = self._where_it_is(E(f"{name}.{path}", kind, lambda env: env[name][path]), depth)
        del self.structs[name]

        def run(env: Env) -> Ended:
            env[name] = env["world"].values.get(key.value(env))
            return None if env[name] is None else body.run(env)

        return S([f"{name} = {call}", f"if {name} is not None:", *indented(body.lines)], run)

    def atomic(self, _depth: int) -> S:
        """An atomic operation, which gives what was there."""
        path = self.rng.choice(("big", "inner.a"))
        kind, op = PATHS[path], self.rng.choice(list(ATOMICS))
        value, expected = cast(kind, self.operand(1)), cast(kind, self.operand(1))
        self.names += 1
        name = f"x{self.names}"
        more = f"{expected.text}, " if op == "cmpxchg" else ""
        call = f"skep.atomic_{op}(state.{path}, {more}{value.text})"
        looks = self.rng.random() < 0.7 or op == "cmpxchg"
        if looks:
            self.variables[name] = kind
        typed = f"{name}: {kind!r} = " if self.declared else f"{name} = "

        def run(env: Env) -> None:
            held, wanted = env["world"].state, expected.value(env) if more else 0
            number = value.value(env)
            env[name] = held[path]
            held[path] = kind.wrap(ATOMICS[op](held[path], number, wanted))

        return S([f"{typed if looks else ''}{call}"], run)

    # --- queues, records --------------------------------------------------------------------------------------------

    def push(self, _depth: int) -> S:
        """``push``, whose result is looked at."""
        self.names += 1
        name, value = f"x{self.names}", cast(u32, self.operand(2))
        drops = self.rng.random() < 0.3
        self.variables[name] = s32

        def run(env: Env) -> None:
            held, number = env["world"].jobs, value.value(env)
            full = len(held) == ENTRIES
            env[name] = FULL if full and not drops else 0
            if full and drops:
                held.pop(0)
            if not full or drops:
                held.append(number)

        typed = f"{name}: s32" if self.declared else name
        return S([f"{typed} = jobs.push({value.text}{', 2' if drops else ''})"], run)

    def tell(self, _depth: int) -> S:
        """A record, submitted or discarded; in a loop of a loop there would be more than a ring holds."""
        if self.loops > 1:
            return IDLE
        self.names += 1
        name, end = f"e{self.names}", self.rng.choice(("submit", "submit", "discard"))
        value, more = cast(u64, self.operand(2)), cast(s32, self.operand(1))
        sets = self.rng.random() < 0.7
        lines = [f"{name} = ring.reserve()", f"if {name} is not None:"]
        lines += [f"    {name}.more = {more.text}"] if sets else []
        lines += [f"    {name}.number = {value.text}", f"    {name}.{end}()"]

        def run(env: Env) -> None:
            world = env["world"]
            number = world.attempts
            world.attempts += 1
            second = more.value(env) if sets else 0
            event = number, value.value(env), second
            if end == "submit":
                world.events.append(event)

        return S(lines, run)
