"""How a field is shown to a person or a client, where it is not a plain number or text.

Forms are values, which a Struct or a map is declared with. Those who show it give them their meaning; what is compiled
does not depend on them.
"""

from collections.abc import Iterable, Mapping
from enum import Enum, EnumMeta
from typing import Any, cast

from skep.base.frozen import frozen
from skep.lang.kernel_names import KernelEnum


@frozen
class Hidden:
    """Not shown: it serves the machinery."""


@frozen
class Hex:
    """An integer as text in hexadecimal: ``"0xffffffff81000000"``."""


@frozen
class Address:
    """The text of an IP address: 4 bytes are IPv4, 16 are IPv6.

    The field is a number of 32 bits or four of them (``be32``, ``u32``, ``be32[4]``), or bytes (``u8[4]``, ``u8[16]``).
    Where 16 bytes hold both, ``family`` names the field that says 2 (IPv4, in the first four) or 10 (IPv6).
    """

    family: str = ""


@frozen
class Words:
    """``u8[N]`` as a list of texts, each ended by a NUL: an argument vector.

    ``used`` names the field with the whole size in bytes.
    """

    used: str


@frozen
class Bytes:
    """``u8[N]`` as one text that ends at the first NUL."""


_Pairs = Mapping[int, str] | Iterable[tuple[int, str]]
Named = _Pairs | EnumMeta | KernelEnum
"""What gives names to numbers."""


@frozen
class Names:
    """An integer as a name, and as the number where it has none: ``Names({1: "one"})``, or pairs of both.

    Given an Enum, the names are those of its members: ``Names(signal.Signals)``. Those of a ``kernel_enum`` are known
    where a kernel is: to ``live.shown`` and ``skep run``.
    """

    table: tuple[tuple[int, str], ...]
    enum: str

    def __init__(self, names: Named) -> None:
        enum, found = "", names
        match names:
            case KernelEnum(name=enum):
                found = ()
            case EnumMeta():
                found = [(one.value, one.name) for one in cast("type[Enum]", names)]
        object.__setattr__(self, "table", tuple(dict(cast("_Pairs", found)).items()))
        object.__setattr__(self, "enum", enum)


@frozen
class Marks:
    """Bits as keys: ``Marks(((1 << 2, "cut"),))`` adds ``"cut":true`` where the bit is set."""

    bits: tuple[tuple[int, str], ...]


@frozen
class Given:
    """Shown as ``form`` (None: a plain number or text); no key where ``by`` (the field itself) is 0, or zeroes."""

    form: "Form | None" = None
    by: str = ""


@frozen
class Unless:
    """Shown as ``form``; no key where another field, ``by``, is not 0."""

    by: str
    form: "Form | None" = None


@frozen
class Frames:
    """The number of a stack in ``stacks``, a declared StackTraces, as the names of its functions, innermost first.

    Of stacks of processes, ``pid`` names the field with the process; without it, they are the kernel's.
    """

    stacks: Any
    pid: str = ""


@frozen
class Symbol:
    """An address as the function it lies in, and how far: the kernel's, or one of the process in the field ``pid``.

    What has no name at hand is shown in hexadecimal.
    """

    pid: str = ""


Form = Hidden | Hex | Address | Words | Bytes | Names | Marks | Given | Unless | Frames | Symbol
