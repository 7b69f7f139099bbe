"""Structs, text and packets in random programs, and ways through them: returns, tuples, ranges.

As in ``random_programs``, each piece of source goes with a function of plain Python, which is its rule.
"""

from collections.abc import Callable
from dataclasses import dataclass

from skep.lang.types import IntType, be16, be32, s32, u8, u16, u32, u64
from tests.kernel.lang.random_maps import Maps
from tests.kernel.lang.random_world import (
    CHOICES,
    ENTRIES,
    NAMES,
    NEAR,
    PATHS,
    TAIL_OFFSET,
    Tail,
    empty,
)
from tests.kernel.lang.reference import (
    EXACT,
    LOADED,
    TAIL,
    E,
    Ended,
    Env,
    Return,
    S,
    cast,
    indented,
    promoted,
)


@dataclass
class Memories(Maps):
    """Makes one program from a seed, of all that Maps and Constructs make and of memory that others see."""

    # --- statements ---------------------------------------------------------------------------------------------------

    def statement(self, depth: int) -> S:
        """A statement of any sort."""
        if self.inside is not None or self.rng.random() < 0.6:
            return super().statement(depth)
        made: list[Callable[[int], S]] = [
            *(self.field_put, self.field_put, self.text_put, self.inner_copy, self.handed),
            *(self.set_entry, self.tried, self.count, self.forget, self.atomic, self.push),
            *(self.tell, self.united, self.swapped),
        ]
        if depth > 0:
            made += [self.look, self.look, self.look_at_struct, self.pop, self.window]
            made += [self.leave_program, self.truth, self.over]
        return self.rng.choice(made)(depth)

    def _path(self) -> tuple[str, Callable[[Env], str], IntType]:
        """A number of a Value: its path as text, as the rules know it, and its type; an index may be worked out."""
        if self.rng.random() < 0.25:
            index = self.typed(1)
            return f"cells[{index.text} & 3]", lambda env: f"cells[{index.value(env) & 3}]", u16
        path = self.rng.choice(list(PATHS))
        return path, lambda _: path, PATHS[path]

    def field_put(self, _depth: int) -> S:
        """A number of a struct is set, or changes in place."""
        (name, of), (path, known, kind) = self._struct(), self._path()
        held = LOADED.get(kind, kind)
        value = cast(held, self.operand(2))
        op = self.rng.choice(("", "", "+", "-", "^", "*"))

        def run(env: Env) -> None:
            if op:
                place = known(env)
                was = of(env)[place]
                of(env)[place] = kind.wrap(EXACT[op](was, value.value(env)))
                return
            number = value.value(env)
            of(env)[known(env)] = kind.wrap(number)

        return S([f"{name}.{path} {op}= {value.text}"], run)

    def text_put(self, _depth: int) -> S:
        """Text that is written out, or of another struct."""
        (name, of), (other, of_other) = self._struct(), self._struct()
        text = self.rng.choice(NAMES)
        if self.rng.random() < 0.6:
            return S([f'{name}.name = "{text}"'], lambda env: of(env).update(name=text))
        return S(
            [f"{name}.name = {other}.name"],
            lambda env: of(env).update(name=of_other(env)["name"]),
        )

    def inner_copy(self, _depth: int) -> S:
        """A struct or an array in a struct, copied whole; a part of an array; a struct that is made."""
        (name, of), (other, of_other) = self._struct(), self._struct()
        part = self.rng.choice(("inner", "cells", "cells[1:3]", "new"))
        if part == "new":
            made = {path: cast(PATHS[f"inner.{path}"], self.operand(1)) for path in "ac"}
            text = ", ".join(f"{path}={e.text}" for path, e in made.items())

            def make(env: Env) -> None:
                worked = {f"inner.{path}": e.value(env) for path, e in made.items()}
                of(env).update({"inner.b": 0} | worked)

            return S([f"{name}.inner = Inner({text})"], make)
        copied = [p for p in PATHS if p.startswith(part.partition("[")[0])]
        copied = ["cells[1]", "cells[2]"] if "[" in part else copied

        def copy(env: Env) -> None:
            of(env).update({path: of_other(env)[path] for path in copied})

        return S([f"{name}.{part} = {other}.{part}"], copy)

    def handed(self, _depth: int) -> S:
        """A struct is handed to a function, which changes it."""
        by = cast(u32, self.operand(1))
        self.names += 1
        name = f"x{self.names}"
        function = self.rng.choice(("bump", "bumped"))
        self.variables[name] = u32
        typed = f"{name}: u32" if self.declared else name

        def run(env: Env) -> None:
            number, place = by.value(env), env["n"]
            place["number"] = s32.wrap(place["number"] + s32.wrap(number))
            path = f"cells[{number & 3}]"
            place[path] = u16.wrap(place[path] + 1)
            env[name] = place["inner.a"]

        return S([f"{typed} = {function}(n, {by.text})"], run)

    def window(self, depth: int) -> S:
        """A view of the packet at a place that is worked out."""
        kind, at = self.rng.choice((u8, u16, u32, be16, be32)), self.typed(1)
        offset = f"({at.text} & 31)"

        def of(env: Env) -> Tail | None:
            where = at.value(env) & 31
            return Tail(env, where, kind) if where + kind.size <= TAIL else None

        return self._pointer(depth, f"ctx.view({kind!r}, {TAIL_OFFSET} + {offset})", kind, of)

    def united(self, _depth: int) -> S:
        """A union is written as one member."""
        value, index = self.typed(2), self.typed(1)
        if self.rng.random() < 0.5:
            word = cast(u32, value)

            def whole(env: Env) -> None:
                env["u"][:] = word.value(env).to_bytes(4, "little")

            return S([f"u.word = {word.text}"], whole)

        def part(env: Env) -> None:
            byte = value.value(env) & 255
            env["u"][index.value(env) & 3] = byte

        return S([f"u.raw[{index.text} & 3] = {value.text}"], part)

    def swapped(self, _depth: int) -> S:
        """The order of bytes is changed."""
        kind, word = self.rng.choice(((u16, "s"), (u32, "l"), (u64, "ll")))
        value = cast(kind, self.binary(1))  # what is read in network order is not turned again
        self.names += 1
        name = f"x{self.names}"
        self.variables[name] = kind
        typed = f"{name}: {kind!r}" if self.declared else name
        function = self.rng.choice(("hton", "ntoh")) + word

        def run(env: Env) -> None:
            env[name] = int.from_bytes(value.value(env).to_bytes(kind.size, "little"), "big")

        return S([f"{typed} = skep.{function}({value.text})"], run)

    # --- ways through a program ---------------------------------------------------------------------------------------

    def leave_program(self, _depth: int) -> S:
        """A return in the midst of it."""
        test, value = self.condition(1), cast(s32, self.typed(1))
        return S(
            [f"if {test.text}:", f"    return {value.text}"],
            lambda env: Return(value.value(env)) if test.value(env) else None,
        )

    def truth(self, depth: int) -> S:
        """A number, a range or text as a condition; elif."""
        first, item, body = self.typed(2), self.typed(1), self.block(depth - 1, 2)
        kind, low = promoted(item.kind or u64), self.rng.randrange(1, 50)
        high = low + self.rng.randrange(1, 200)
        within = self.rng.choice((f"range({low}, {high})", "NEAR"))
        bounds = range(low, high) if within[0] == "r" else NEAR
        other = self.block(depth - 1, 2)
        lines = [f"if {first.text}:", *indented(body.lines)]
        lines += [f"elif {item.text} in {within}:", *indented(other.lines)]

        def run(env: Env) -> Ended:
            if first.value(env):
                return body.run(env)
            return other.run(env) if kind.wrap(item.value(env)) in bounds else None

        return S(lines, run)

    def over(self, depth: int) -> S:
        """A loop over the numbers of a tuple."""
        if self.looped():
            return self.truth(depth)
        self.names += 1
        name = f"k{self.names}"
        body = self._inside_a_loop(depth, name, f"u32({name})")
        declaration = [f"{name}: u32 = 0"] if self.declared else []

        def run(env: Env) -> Ended:
            for number in CHOICES:
                env[name] = number
                ended = body.run(env)
                if ended == "break":
                    break
                if isinstance(ended, Return):
                    return ended
            return None

        return S([*declaration, f"for {name} in CHOICES:", *indented(body.lines)], run)

    # --- conditions and expressions -----------------------------------------------------------------------------------

    def condition(self, depth: int) -> E:
        """A truth value of any sort."""
        if self.inside is not None or self.rng.random() < 0.85:
            return super().condition(depth)
        return self.rng.choice((self.known, self.named))(depth)

    def known(self, _depth: int) -> E:
        """``key in m``."""
        name, kind = self.rng.choice((("table", u32), ("values", u16), ("cells", u32)))
        key, word = self._key(kind), self.rng.choice(("in", "not in"))

        def value(env: Env) -> int:
            held, at = getattr(env["world"], name), key.value(env)
            return int((at < ENTRIES if name == "cells" else at in held) == (word == "in"))

        return E(f"({key.text} {word} {name})", None, value)

    def named(self, _depth: int) -> E:
        """Text beside text."""
        (name, of), (other, of_other) = self._struct(), self._struct()
        text, form = self.rng.choice(NAMES[1:]), self.rng.choice(list(TEXTS))
        if self.rng.random() < 0.2:
            return E(
                f"({name}.name == {other}.name)",
                None,
                lambda env: int(of(env)["name"] == of_other(env)["name"]),
            )
        return E(
            form.format(f"{name}.name", f'"{text}"'),
            None,
            lambda env: int(TEXTS[form](of(env)["name"], text)),
        )

    def leaf(self) -> E:
        """As others, or a place in a table of constants."""
        if self.inside is not None or self.rng.random() < 0.96:
            return super().leaf()
        index = super().leaf()
        text = f"u32(CHOICES[{index.text} & 3])"
        return E(text, u32, lambda env: CHOICES[index.value(env) & 3])

    # --- the whole ----------------------------------------------------------------------------------------------------

    def memory(self) -> list[str]:
        """What the program has on the stack, and beside it."""
        lines = super().memory()
        self.structs = {"n": lambda env: env["n"], "state": lambda env: env["world"].state}
        for name, of in self.structs.items():
            for path in self.rng.sample(list(PATHS), 3):
                kind = LOADED.get(PATHS[path], PATHS[path])
                value = lambda env, of=of, path=path: of(env)[path]  # noqa: E731
                self.leaves.append(E(f"{name}.{path}", kind, value))
        self.leaves += [
            E("u.word", u32, lambda env: int.from_bytes(env["u"], "little")),
            E("u.raw[1]", u8, lambda env: env["u"][1]),
            E("u32(len(ctx))", u32, lambda _: TAIL_OFFSET + TAIL),
        ]
        return [*lines, "n = Value()", "u = Both()"]

    def fresh(self) -> Env:
        """What is on the stack when a program begins."""
        return super().fresh() | {"n": empty(), "u": bytearray(4)}


TEXTS: dict[str, Callable[[str, str], bool]] = {
    "({} == {})": lambda a, b: a == b,
    "({} != {})": lambda a, b: a != b,
    "{}.startswith({})": lambda a, b: a.startswith(b),
    "{}.endswith({})": lambda a, b: a.endswith(b),
    "({1} in {0})": lambda a, b: b in a,
}
