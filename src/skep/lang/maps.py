"""Declarations of maps: values that a program captures and a loader makes live.

A declaration is compared by identity: two programs that capture the same one share one live map. In a program its
methods are compiled; in plain Python they are those of the fakes that a test binds (``skep.testing``).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypedDict, Unpack

from skep.base.frozen import frozen
from skep.base.lazy import lazy
from skep.base.similar import similar
from skep.lang.forms import Form
from skep.lang.objects import objects_of
from skep.lang.spec import MapSpec, MapType
from skep.lang.special import check_special, special
from skep.lang.struct import Struct, StructType, sized
from skep.lang.types import IntType, s32, u8, u32, u64

inspect = lazy("inspect")

PREALLOCATED, NO_PREALLOC = 0, 1
READ_ONLY = 1 << 7
MMAPABLE = 1 << 10
NAME = 15
VARIADIC = 0x04
"""``inspect.CO_VARARGS``."""

LIVE = "the live map is live[...] of skep.load(...)"

Migrate = Callable[[Any, Any], tuple[Any, Any] | None]
"""From key and value of an entry of the old layout to those of the new one; None leaves it out."""


class Options(TypedDict, total=False):
    """What every declaration takes.

    ``name`` is the kernel's (else that of the variable); ``pin`` lets the map outlive its programs, under that name in
    the instance's directory; ``migrate`` moves its entries where the pinned map has another layout.
    """

    name: str
    pin: str
    migrate: Migrate


class _Declared(type):
    """The class of declarations: one that is given too few or too many arguments says what it takes."""

    def __call__(cls, *given: Any, **named: Any) -> Any:
        wrong = _miscalled(cls, given, named)
        if wrong:
            raise TypeError(wrong)
        return super().__call__(*given, **named)

    @property
    def __signature__(cls) -> Any:
        made = inspect.signature(cls.__init__)  # type: ignore[misc]  # of the very class
        return made.replace(parameters=list(made.parameters.values())[1:])


def _miscalled(declared: Any, given: Sequence[Any], named: Mapping[str, Any]) -> str:
    """What is wrong with the arguments of a declaration; options by name are its own business."""
    code, defaults = declared.__init__.__code__, declared.__init__.__defaults__ or ()
    names = code.co_varnames[1 : code.co_argcount]
    taken = f"{declared.__name__}({', '.join(names)})"
    if code.co_flags & VARIADIC:
        return ""
    if len(given) > len(names):
        return f"{taken} takes no more; what may stand behind them has a name, as name="
    twice = [name for name in names[: len(given)] if name in named]
    missing = [name for name in names[len(given) : len(names) - len(defaults)] if name not in named]
    if not twice and not missing:
        return ""
    problem = "is given twice" if twice else "are missing" if len(missing) > 1 else "is missing"
    example = "; it is how many the map holds, as 1024" if missing == ["entries"] else ""
    return f"{taken}: {' and '.join(twice or missing)} {problem}{example}"


class Declaration(metaclass=_Declared):
    """A map to be: its type, key, value and number of entries (of bytes, for a ring).

    ``inner`` is the pattern of the maps in it, ``carries`` the Struct of what goes through it.
    """

    type: MapType
    inner: "Declaration | None" = None
    carries: Any = None
    extra = 0

    def __init__(
        self, key: Any, value: Any, entries: int, *, flags: int = 0, **options: Unpack[Options]
    ) -> None:
        if not isinstance(entries, int):
            raise TypeError(f"the entries of a map are a number, not {entries!r}")
        if entries < 1:
            raise ValueError(f"a map needs at least one entry, not {entries}")
        for name in options.keys() - Options.__annotations__.keys():
            near = similar(name, Options.__annotations__)
            hint = f"; did you mean {near}=?" if near else ""
            raise TypeError(f"{type(self).__name__}(...) takes no {name}={hint}")
        for what, kind in (("key", key), ("value", value)):
            if kind is not None:
                sized(f"{type(self).__name__}(...), {what}", kind)
        check_special(self.type, value)
        self.key, self.value, self.entries = key, value, entries
        self.flags, self.name = flags, options.get("name", "")
        self.pin, self.migrate = options.get("pin", ""), options.get("migrate")
        plain = self.pin.replace("-", "_").replace("_", "a")
        if self.pin and objects_of(value):
            raise ValueError(
                f"{value!r} links or keeps objects, whose types are those of one load of programs; it is not pinned"
            )
        if self.pin and not (plain.isascii() and plain.isalnum() and self.pin[0] != "-"):
            raise ValueError(f"{self.pin!r} cannot name a pin; take letters, digits, - and _")

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(f"{name!r} is none of a declared map's; {LIVE}")

    def spec(self, name: str = "") -> MapSpec:
        """The spec, under the declaration's own name or else ``name`` (cut to the kernel's 15 characters)."""
        return MapSpec(
            (self.name or name)[:NAME],
            self.type,
            self.key,
            self.value,
            self.entries,
            self.flags,
            self.inner.spec(f"{name[: NAME - 3]}_in") if self.inner else None,
            self.pin,
            self.extra,
        )


@frozen
class Bars:
    """``Hash(u32, u64, 64, bars=Bars("us"))``: its values are counts and its keys slots, and `skep run` shows bars.

    ``unit`` and ``step`` are those of a ``Histogram``. Where the key is a Struct, its last field is the slot.
    """

    unit: str = ""
    step: int = 0


class TableOptions(Options, total=False):
    """``bars``: how the counts in it are shown; ``keys``: how its keys are, which are no Structs."""

    bars: Bars
    keys: Form


class Table(Declaration):
    """A map with keys."""

    bars: Bars | None = None
    keys: Form | None = None

    def __init__(
        self,
        key: Any,
        value: Any,
        entries: int,
        *,
        flags: int = 0,
        bars: Bars | None = None,
        keys: Form | None = None,
        **options: Unpack[Options],
    ) -> None:
        self.bars, self.keys = bars, keys
        slot = key.fields[-1].type if isinstance(key, StructType) and key.fields else key
        if self.bars and not (isinstance(value, IntType) and isinstance(slot, IntType)):
            raise TypeError(
                f"bars show counts by slot, which are numbers: not {value!r} by {key!r}"
            )
        if keys is not None and isinstance(key, StructType):
            raise TypeError(
                f"keys= is how keys are shown that are no Structs, not {key!r}; a Struct says it of its fields: forms="
            )
        super().__init__(key, value, entries, flags=flags, **options)

    # What a program writes; compiled there, and refused everywhere else.

    def lookup(self, key: Any, cpu: int = 0) -> Any:
        """The value of a key, in place, or None; of a per-CPU map also that of another ``cpu`` (Linux 5.18)."""
        raise compiled("lookup")

    def update(self, key: Any, value: Any, flags: int = 0) -> int:
        """Set a key's value; 0, or a negative errno."""
        raise compiled("update")

    def delete(self, key: Any) -> int:
        """Forget a key; 0, or a negative errno."""
        raise compiled("delete")

    def increment(self, key: Any, by: int = 1) -> int:
        """Add to the number of a key, which is made where it is missing; 0, or a negative errno: it was not counted."""
        raise compiled("increment")

    def setdefault(self, key: Any, value: Any = None) -> Any:
        """The value of a key, in place, made where it is missing: zero, or ``value``; None where there is no room."""
        raise compiled("setdefault")

    def for_each(self, function: Callable[..., Any], memory: Any = None) -> int:
        """Call ``function(key, value)`` for each entry, until it gives something true; how many it was called for.

        With ``memory``, which lies on the stack, it is ``function(key, value, memory)``.
        """
        raise compiled("for_each")

    def __getitem__(self, key: Any) -> NoReturn:
        raise compiled("[]")

    def __setitem__(self, key: Any, value: Any) -> None:
        raise compiled("update")

    def __delitem__(self, key: Any) -> None:
        raise compiled("delete")

    def __contains__(self, key: Any) -> bool:
        raise compiled("in")


def compiled(what: str) -> TypeError:
    """What a method of a declaration raises outside of programs."""
    return TypeError(f"{what} on a declared map exists in programs; {LIVE}")


class Hash(Table):
    """``Hash(key, value, entries)``: BPF_MAP_TYPE_HASH."""

    type = MapType.HASH


class PerCpuHash(Table):
    """As Hash, with a value for each CPU."""

    type = MapType.PERCPU_HASH


class LruHash(Table):
    """As Hash; a full map forgets the entry that was used least recently."""

    type = MapType.LRU_HASH


class LruPerCpuHash(Table):
    """As LruHash, with a value for each CPU."""

    type = MapType.LRU_PERCPU_HASH


class Lpm(Table):
    """Longest prefix match: ``key`` is a Struct whose first field is the ``u32`` prefix length in bits."""

    type = MapType.LPM_TRIE

    def __init__(self, key: Any, value: Any, entries: int, **options: Unpack[Options]) -> None:
        if not isinstance(key, StructType) or not key.fields or key.fields[0].type is not u32:
            raise TypeError(
                "the key of an Lpm map is a Struct whose first field is a u32, the prefix length"
            )
        super().__init__(key, value, entries, flags=NO_PREALLOC, **options)


class Array(Table):
    """``Array(value, entries)``: indexed by u32, zero at first."""

    type = MapType.ARRAY

    def __init__(
        self, value: Any, entries: int, *, flags: int = 0, **options: Unpack[TableOptions]
    ) -> None:
        super().__init__(u32, value, entries, flags=flags, **options)


class PerCpuArray(Array):
    """As Array, with a value for each CPU."""

    type = MapType.PERCPU_ARRAY


class BuildId(Struct):
    """A place in a file: ``status`` 1: ``offset`` in the file of that build id; 2: ``offset`` is the address."""

    status: s32
    build_id: u8[20]
    offset: u64


STACK_BUILD_ID = 1 << 5


class StackTraces(Table):
    """Stacks of addresses by stack id (``bpf_get_stackid``); ``depth`` frames at most.

    ``build_ids``: user stacks as places in files, a ``BuildId`` each, which mean the same in any process.
    """

    type = MapType.STACK_TRACE

    def __init__(
        self, depth: int, entries: int, *, build_ids: bool = False, **options: Unpack[Options]
    ) -> None:
        frame: Any = BuildId if build_ids else u64
        flags = STACK_BUILD_ID if build_ids else 0
        super().__init__(u32, frame[depth], entries, flags=flags, **options)


class Global(Declaration):
    """One value of a Struct, reached by its address without a lookup, and mapped into the loader's memory.

    ``initial`` is what it holds at first, zero where there is none. ``constant``: nobody writes to it once the program
    is loaded, so that the kernel leaves out what its values switch off; ``skep.load(..., initial={...})`` sets them.
    """

    type = MapType.ARRAY

    def __init__(
        self,
        value: StructType,
        initial: Struct | None = None,
        *,
        constant: bool = False,
        **options: Unpack[Options],
    ) -> None:
        if not isinstance(value, StructType):
            raise TypeError(f"a Global is a Struct with named fields, not {value!r}")
        if initial is not None and type(initial) is not value:
            raise TypeError(f"the initial value is a {value.__name__}, not {initial!r}")
        if special(value):
            raise TypeError(f"a Global has no locks and timers ({value!r}); take Array(..., 1)")
        if constant and options.get("pin"):
            raise ValueError("a constant belongs to one load of a program; it is not pinned")
        super().__init__(u32, value, 1, flags=READ_ONLY if constant else MMAPABLE, **options)
        self.initial, self.constant = initial, constant
        self._fields = frozenset(field.name for field in value.fields)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in vars(self).get("_fields", ()):
            raise TypeError(f"{name!r} of a declared Global is set in programs; {LIVE}")
        super().__setattr__(name, value)


class RingState(Struct):
    """What a ring counts: attempts (``seq``) and refusals (``lost``), and its doorbell.

    ``seq`` minus ``lost`` records were delivered. ``doorbell`` is 1 while the reader sleeps and wants to be woken.
    The three lie on cache lines of their own.
    """

    seq: u64
    _pad0: u64[7]
    lost: u64
    _pad1: u64[7]
    doorbell: u32
    _pad2: u32[15]


def _refuse_twins(records: Sequence[StructType]) -> None:
    """Of two classes with one number of their kind, a reader could not tell which a record is of."""
    seen: dict[object, StructType] = {}
    for record in records:
        number = getattr(record, "stamps", {}).get("kind", record)
        if seen.setdefault(number, record) is not record:
            raise TypeError(
                f"{seen[number].__name__} and {record.__name__} of a ring have one kind number, {number}; "
                "give one of them another name by kind="
            )


class Ring(Declaration):
    """``Ring(Exec, Exit, size=1 << 20)``: a ring buffer of fixed-size records, with exact counts of what was lost.

    ``size`` is in bytes, a power of two of at least a page. All records have one size, so that a reader sees them as
    one strided array. ``wakeup`` says who wakes the reader: "doorbell" (when it asked for it) or "none" (it polls).
    """

    type = MapType.RINGBUF
    tails = False
    """Whether bytes are behind each record."""

    def __init__(
        self,
        *records: StructType,
        size: int = 1 << 20,
        wakeup: str = "doorbell",
        **options: Unpack[Options],
    ) -> None:
        if not records:
            raise TypeError("Ring(...) takes the records that it carries")
        for record in records:
            if not isinstance(record, StructType):
                size = f"; its size is size={record}" if isinstance(record, int) else ""
                raise TypeError(f"Ring(...) carries classes of records, not {record!r}{size}")
        sizes = {record.size for record in records}
        if len(sizes) > 1:
            listed = ", ".join(f"{r.__name__} {r.size}" for r in records)
            raise TypeError(
                f"all records of a ring have one size in bytes, here: {listed}; pad them with size="
            )
        _refuse_twins(records)
        if any(record.size % 8 for record in records):
            raise TypeError(
                f"{records[0].__name__} has {records[0].size} bytes; a ring takes multiples of 8"
            )
        if size < 4096 or size & (size - 1):
            raise ValueError(
                f"the size of a ring is a power of two of at least 4096 bytes, not {size}"
            )
        if wakeup not in ("doorbell", "none"):
            raise ValueError(f'wakeup is "doorbell" or "none", not {wakeup!r}')
        super().__init__(None, None, size, **options)
        self.records, self.wakeup = records, wakeup
        self.state = Global(
            RingState,
            name=f"{self.name}_state"[:NAME] if self.name else "",
            pin=f"{self.pin}_state" if self.pin else "",
        )

    def reserve(self, record: Any = None) -> Any:
        """A record with its header stamped, or None where the ring is full; then ``submit()`` or ``discard()``."""
        raise compiled("reserve")

    def output(self, data: Any, size: int = 0) -> int:
        """Copy memory into the ring, stamping nothing; 0, or a negative errno."""
        raise compiled("output")
