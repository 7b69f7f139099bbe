"""How a field is shown to a person or a client, where it is not a plain number or text.

Forms are values. The JSON formatter gives them their meaning; the kernel half never sees them.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hidden:
    """Not shown: it serves the machinery."""


@dataclass(frozen=True, slots=True)
class Hex:
    """An integer as text in hexadecimal: ``"0xffffffff81000000"``."""


@dataclass(frozen=True, slots=True)
class Address:
    """The text of an IP address: 4 bytes are IPv4, 16 are IPv6.

    The field is a number of 32 bits or four of them (``be32``, ``u32``, ``be32[4]``), or bytes (``u8[4]``, ``u8[16]``).
    Where 16 bytes hold both, ``family`` names the field that says 2 (IPv4, in the first four) or 10 (IPv6).
    """

    family: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """``u8[N]`` as a list of texts, each ended by a NUL: an argument vector.

    ``used`` names the field with the whole size in bytes.
    """

    used: str


@dataclass(frozen=True, slots=True)
class Bytes:
    """``u8[N]`` as one text that ends at the first NUL."""


@dataclass(frozen=True, slots=True)
class Names:
    """An integer as a name of ``table``, and as the number where the table has none."""

    table: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Marks:
    """Bits as keys: ``Marks(((1 << 2, "cut"),))`` adds ``"cut":true`` where the bit is set."""

    bits: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Given:
    """Shown as ``form`` (None: a plain number or text); no key where ``by`` (the field itself) is 0, or zeroes."""

    form: "Form | None" = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class Unless:
    """Shown as ``form``; no key where another field, ``by``, is not 0."""

    by: str
    form: "Form | None" = None


Form = Hidden | Hex | Address | Words | Bytes | Names | Marks | Given | Unless
