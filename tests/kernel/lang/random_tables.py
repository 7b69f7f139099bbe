"""More maps in random programs: of each CPU, LRU, prefixes, stacks, bloom filters, maps in maps, arenas, locks, tails.

As in ``random_programs``, each piece of source goes with a function of plain Python, which is its rule.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from skep.lang.types import IntType, s16, s32, u8, u32, u64
from tests.kernel.lang.random_kept import CELL, ENTRIES, HEAP, TABLES
from tests.kernel.lang.random_maps import IDLE
from tests.kernel.lang.random_places import Places
from tests.kernel.lang.random_world import ABSENT, FULL, INVALID, PRESENT
from tests.kernel.lang.reference import EXACT, LOADED, E, Ended, Env, Return, S, cast, indented

NO_ROOM, TOO_LONG = -28, 40
Cells = dict[int, list[int]]


@dataclass
class Everything(Places):
    """Makes one program from a seed, of all that there is."""

    def statement(self, depth: int) -> S:
        """A statement of any sort."""
        if self.inside is not None or self.rng.random() < 0.86:
            return super().statement(depth)
        made: list[Callable[[int], S]] = [
            *(self.table_set, self.table_counts, self.table_drops, self.pushed, self.added),
            *(self.route_set, self.heap_put, self.heap_put, self.gone_over, self.long_record),
        ]
        if depth > 0:
            made += [self.table_found, self.table_found, self.popped, self.route_found]
            made += [self.locked, self.map_found, self.made, self.gone_on]
        return self.rng.choice(made)(depth)

    # --- tables of numbers --------------------------------------------------------------------------------------------

    def _table(self) -> tuple[str, IntType, int, bool]:
        name = self.rng.choice(list(TABLES))
        return name, *TABLES[name][1:]

    def _result(self) -> tuple[str, str]:
        """A variable for what a call gives, and how the line begins."""
        self.names += 1
        name = f"x{self.names}"
        self.variables[name] = s32
        return name, f"{name}: s32 = " if self.declared else f"{name} = "

    def table_set(self, _depth: int) -> S:
        """An entry is written, by an update whose result is looked at."""
        if self.pointing:
            return IDLE
        name, kind, room, whole = self._table()
        key, value, flags = self._key(u32), cast(kind, self.operand(2)), self.rng.randrange(3)
        to, head = self._result()

        def run(env: Env) -> None:
            at, number = key.value(env), value.value(env)
            held = env["world"].kept.tables[name]
            env[to] = _refused(held, at, flags, room, whole=whole)
            if env[to] == 0:
                held[at] = [number]

        return S([f"{head}{name}.update({key.text}, {value.text}, {flags})"], run)

    def table_counts(self, _depth: int) -> S:
        """``increment``, whose result is looked at."""
        if self.pointing:
            return IDLE
        name, kind, room, whole = self._table()
        key, by = self._key(u32), cast(kind, self.operand(1))
        to, head = self._result()

        def run(env: Env) -> None:
            at, number = key.value(env), by.value(env)
            held = env["world"].kept.tables[name]
            env[to] = 0
            if at in held:
                held[at][0] = kind.wrap(held[at][0] + number)
            elif whole or len(held) >= room:
                env[to] = ABSENT if whole else FULL
            else:
                held[at] = [number]

        return S([f"{head}{name}.increment({key.text}, {by.text})"], run)

    def table_drops(self, _depth: int) -> S:
        """``delete``, whose result is looked at."""
        if self.pointing:
            return IDLE
        (name, _, _, whole), key = self._table(), self._key(u32)
        to, head = self._result()

        def run(env: Env) -> None:
            at, held = key.value(env), env["world"].kept.tables[name]
            gone = INVALID if whole else ABSENT
            env[to] = gone if whole or held.pop(at, None) is None else 0

        return S([f"{head}{name}.delete({key.text})"], run)

    def table_found(self, depth: int) -> S:
        """``lookup``, and what to do with what it gives, or without."""
        (name, kind, _, _), key = self._table(), self._key(u32)
        return self._pointer(
            depth,
            f"{name}.lookup({key.text})",
            kind,
            lambda env: env["world"].kept.tables[name].get(key.value(env)),
        )

    def made(self, depth: int) -> S:
        """``setdefault``, zero or of a value."""
        if self.pointing:
            return IDLE
        (name, kind, room, whole), key = self._table(), self._key(u32)
        value = cast(kind, self.operand(1)) if self.rng.random() < 0.5 else None

        def of(env: Env) -> list[int] | None:
            at = key.value(env)
            number = value.value(env) if value else 0
            held: Cells = env["world"].kept.tables[name]
            if at not in held and not whole and len(held) < room:
                held[at] = [number]
            return held.get(at)

        given = f", {value.text}" if value else ""
        return self._pointer(depth, f"{name}.setdefault({key.text}{given})", kind, of)

    def gone_over(self, _depth: int) -> S:
        """A function is called with each entry."""
        to, head = self._result()
        if self.rng.random() < 0.5:

            def adds(env: Env) -> None:
                world = env["world"]
                wide = sum(key + cell[0] for key, cell in world.table.items())
                world.kept.deep["wide[1]"] = _s64(world.kept.deep["wide[1]"] + wide)
                env[to] = len(world.table)

            return S([f"{head}table.for_each(summed)"], adds)

        def seeks(env: Env) -> None:
            world = env["world"]
            for key, (number,) in enumerate(world.cells):
                world.kept.deep["wide[2]"] = _s64(world.kept.deep["wide[2]"] * 3 + number)
                env[to] = key + 1
                if number & 3 == key:
                    break

        return S([f"{head}cells.for_each(searched)"], seeks)

    # --- stacks, filters, prefixes ------------------------------------------------------------------------------------

    def pushed(self, _depth: int) -> S:
        """``push`` on a stack."""
        value, drops = cast(u32, self.operand(2)), self.rng.random() < 0.3
        to, head = self._result()

        def run(env: Env) -> None:
            held, number = env["world"].kept.stack, value.value(env)
            full = len(held) == ENTRIES
            env[to] = FULL if full and not drops else 0
            if full and drops:
                held.pop(0)
            if not full or drops:
                held.append(number)

        return S([f"{head}stack.push({value.text}{', 2' if drops else ''})"], run)

    def popped(self, depth: int) -> S:
        """``pop`` and ``peek`` of a stack: a copy of its own."""
        takes = self.rng.random() < 0.7

        def of(env: Env) -> list[int] | None:
            held = env["world"].kept.stack
            if not held:
                return None
            return [held.pop() if takes else held[-1]]

        return self._pointer(depth, f"stack.{'pop' if takes else 'peek'}()", u32, of)

    def added(self, _depth: int) -> S:
        """A bloom filter learns a number."""
        value = self._key(u32)
        to, head = self._result()

        def run(env: Env) -> None:
            env["world"].kept.known.add(value.value(env))
            env[to] = 0

        return S([f"{head}known.add({value.text})"], run)

    def _prefix(self) -> tuple[str, Callable[[Env], tuple[int, int]]]:
        """A prefix: its source, and its bits and address."""
        address, bits = (
            self._key(u32),
            self.rng.choice((0, 1, 24, 29, 30, 31, 32, 32, 32, TOO_LONG)),
        )
        text = f"Prefix4({bits}, {address.text})"

        def value(env: Env) -> tuple[int, int]:
            beside = max(32 - bits, 0)
            return bits, address.value(env) >> beside << beside

        return text, value

    def route_set(self, _depth: int) -> S:
        """A prefix is written, or taken out."""
        if self.pointing:
            return IDLE
        text, prefix = self._prefix()
        value, removes = cast(u32, self.operand(1)), self.rng.random() < 0.3
        to, head = self._result()

        def run(env: Env) -> None:
            held, at = env["world"].kept.routes, prefix(env)
            number = 0 if removes else value.value(env)
            if at[0] > 32:
                env[to] = INVALID
            elif removes:
                env[to] = ABSENT if held.pop(at, None) is None else 0
            else:
                room = at in held or len(held) < ENTRIES
                env[to] = 0 if room else NO_ROOM
                if room:
                    held[at] = number

        call = f"delete({text})" if removes else f"update({text}, {value.text})"
        return S([f"{head}routes.{call}"], run)

    def route_found(self, depth: int) -> S:
        """The longest prefix, whose number is read."""
        text, prefix = self._prefix()
        name, to = f"t{self.names + 1}", self._result()[0]
        first = [f"{to}: s32 = 1"] if self.declared else [f"{to} = s32(1)"]
        body = self.block(depth - 1, 2)
        lines = [*first, f"{name} = routes.lookup({text})", f"if {name} is not None:"]
        lines += indented([f"{to} = s32({name})", *body.lines])

        def run(env: Env) -> Ended:
            env[to] = 1
            bits, address = prefix(env)
            held = env["world"].kept.routes
            fitting = [one for one in held if one[0] <= bits <= 32 and _within(address, one)]
            if not fitting:
                return None
            env[to] = s32.wrap(held[max(fitting)])
            return body.run(env)

        return S(lines, run)

    # --- arenas, locks, maps in maps ----------------------------------------------------------------------------------

    def heap_put(self, _depth: int) -> S:
        """A number in an arena is set, or changes in place."""
        index = cast(u32, self.typed(1))
        part, kind = self.rng.choice((("", u32), *CELL.items()))
        held = LOADED.get(kind, kind)
        value, op = cast(held, self.operand(1)), self.rng.choice(("", "+", "^"))
        many = 8 if part else 16
        text = f"heap.{'cells' if part else 'counts'}[{index.text} & {many - 1}]"

        def path(env: Env) -> str:
            at = index.value(env) & (many - 1)
            return f"cells[{at}].{part}" if part else f"counts[{at}]"

        def run(env: Env) -> None:
            table = env["world"].kept.heap
            if op:
                place = path(env)
                was = table[place]
                table[place] = kind.wrap(EXACT[op](was, value.value(env)))
                return
            number = value.value(env)
            table[path(env)] = kind.wrap(number)

        return S([f"{text}{f'.{part}' if part else ''} {op}= {value.text}"], run)

    def locked(self, depth: int) -> S:
        """A value changes under its lock, by numbers that are there."""
        key = self._key(u32)
        self.names += 1
        name, to = f"g{self.names}", f"x{self.names}"
        by, op = self._there(), self.rng.choice("+-*^")
        self.variables[to] = u64
        first = [f"{to}: u64 = 7"] if self.declared else [f"{to} = u64(7)"]
        lines = [*first, f"{name} = guarded.lookup({key.text})", f"if {name} is not None:"]
        lines += [f"    with {name}.lock:", f"        {name}.total {op}= u64({by.text})"]
        lines += [f"        {name}.count -= 1", f"        {to} = {name}.total"]
        other = self.block(depth - 1, 2)
        lines += ["else:", *indented(other.lines)]

        def run(env: Env) -> Ended:
            env[to] = 7
            at, held = key.value(env), env["world"].kept.guarded
            if at >= ENTRIES:
                return other.run(env)
            total, count = held[at]
            held[at] = [u64.wrap(EXACT[op](total, u64.wrap(by.value(env)))), s32.wrap(count - 1)]
            env[to] = held[at][0]
            return None

        return S(lines, run)

    def _there(self) -> E:
        """A number that no call gives."""
        names = list(self.variables.items())
        if not names:
            return E("3", None, lambda _: 3)
        name, kind = self.rng.choice(names)
        return E(name, kind, lambda env: env[name])

    def map_found(self, depth: int) -> S:
        """A map in a map is found, or none, and counts."""
        which, key, by = cast(u32, self.typed(1)), self._key(u32), cast(u64, self.operand(1))
        self.names += 1
        name = f"j{self.names}"
        found = self._pointer(
            depth,
            f"{name}.lookup({key.text})",
            u64,
            lambda env: env["world"].kept.nested.get(key.value(env)),
        )
        counts = [] if self.pointing else [f"{name}.increment({key.text}, {by.text})"]
        lines = [f"{name} = nested.lookup({which.text} & 1)", f"if {name} is not None:"]
        lines += indented([*counts, *found.lines])

        def run(env: Env) -> Ended:
            if which.value(env) & 1:
                return None
            held = env["world"].kept.nested
            if counts:
                at, number = key.value(env), by.value(env)
                if at in held:
                    held[at][0] = u64.wrap(held[at][0] + number)
                elif len(held) < ENTRIES:
                    held[at] = [number]
            return found.run(env)

        return S(lines, run)

    # --- ways out -----------------------------------------------------------------------------------------------------

    def gone_on(self, _depth: int) -> S:
        """A tail call, where there is a program, and where there is none."""
        if self.loops:
            return IDLE
        test, index = self.condition(1), self.rng.choice((0, 1, 1, 7))

        def run(env: Env) -> Ended:
            if not test.value(env) or index != 1:
                return None
            held = env["world"].kept.deep
            held["count"] = u32.wrap(held["count"] + 3)
            return Return(held["count"] & 255)

        return S([f"if {test.text}:", f"    steps.call(ctx, {index})"], run)

    def long_record(self, _depth: int) -> S:
        """A record with a tail."""
        self.names += 1
        name, size = f"e{self.names}", f"z{self.names}"
        long, number, more = cast(u8, self.typed(1)), cast(u32, self.operand(1)), self._result()
        typed = f"{size}: u32" if self.declared else size
        lines = [f"{typed} = ({long.text} & 7) + 1", f"{name} = lines.reserve({size})"]
        lines += [f"{more[0]}: s32 = 5"] if self.declared else [f"{more[0]} = s32(5)"]
        lines += [f"if {name} is not None:", f"    {name}.number = {number.text}"]
        lines += [f"    {more[0]} = s32({name}.write(0, t, {size}))", f"    {name}.submit()"]

        def run(env: Env) -> None:
            held, many = env["world"].kept, (long.value(env) & 7) + 1
            seq = held.attempts
            held.attempts += 1
            told = number.value(env)
            env[more[0]] = 0
            held.lines.append((seq, told, bytes(env["t"][:many])))

        return S(lines, run)

    # --- expressions --------------------------------------------------------------------------------------------------

    def condition(self, depth: int) -> E:
        """A truth value of any sort."""
        if self.inside is not None or self.rng.random() < 0.95:
            return super().condition(depth)
        form, word = (
            self.rng.choice(("known", "routes", *TABLES)),
            self.rng.choice(("in", "not in")),
        )
        if form == "routes":
            text, prefix = self._prefix()

            def routed(env: Env) -> int:
                bits, address = prefix(env)
                held = env["world"].kept.routes
                found = any(one[0] <= bits <= 32 and _within(address, one) for one in held)
                return int(found == (word == "in"))

            return E(f"({text} {word} routes)", None, routed)
        key = self._key(u32)

        def value(env: Env) -> int:
            held = env["world"].kept
            there: Any = held.known if form == "known" else held.tables[form]
            return int((key.value(env) in there) == (word == "in"))

        return E(f"({key.text} {word} {form})", None, value)

    def memory(self) -> list[str]:
        """What the program has on the stack, and beside it."""
        lines = super().memory()
        path = self.rng.choice(list(HEAP))
        kind = LOADED.get(HEAP[path], HEAP[path])
        self.leaves += [
            E("limits.most", u64, lambda _: 1 << 33),
            E("limits.low", s16, lambda _: -5),
            E(f"heap.{path}", kind, lambda env: env["world"].kept.heap[path]),
        ]
        return lines


def _s64(number: int) -> int:
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


def _refused(held: Cells, key: int, flags: int, room: int, *, whole: bool) -> int:
    """What an update gives where it writes nothing; else 0."""
    if whole and key not in held:
        return FULL
    if key in held and flags == 1:
        return PRESENT
    if key not in held and flags == 2:
        return ABSENT
    return 0 if key in held or len(held) < room else FULL


def _within(address: int, prefix: tuple[int, int]) -> bool:
    beside = 32 - prefix[0]
    return address >> beside << beside == prefix[1]
