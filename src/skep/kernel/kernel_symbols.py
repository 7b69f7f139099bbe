"""What a program names of the kernel beside its functions: variables by their numbers, addresses by kallsyms.

The list of all names (``/proc/kallsyms``, some 5 MB) is read in one pass, and only for a program that asks for
addresses: 60 ms.
"""

import struct
from collections.abc import Iterable
from itertools import chain

from skep.base.errors import BadInput, Forbidden, SkepError, Unsupported
from skep.btf.reader import Btf
from skep.btf.types import Kind
from skep.kernel.modules import numbered
from skep.kernel.symbols import KALLSYMS, blocks
from skep.lang.spec import AddressReference, ProgramSpec

_PSEUDO_BTF_ID = 3
_IMMEDIATE = struct.Struct("<I")


def put(
    code: bytearray, spec: ProgramSpec, btf: Btf | None, *, path: str = KALLSYMS
) -> tuple[tuple[int, str], ...]:
    """Put variables and addresses of the kernel into the instructions of ``spec``.

    It gives the instructions that take a descriptor of a module's types, each with the module. Unsupported where the
    kernel has none of that name, BadInput where it has several, Forbidden where it tells none.
    """
    held: list[tuple[int, str]] = []
    for variable in spec.variables:
        module, number = _variable(variable.name, btf)
        if module:
            held.append((variable.insn, module))
        code[8 * variable.insn + 1] |= _PSEUDO_BTF_ID << 4
        _IMMEDIATE.pack_into(code, 8 * variable.insn + 4, number)
    found = _addresses(spec.addresses, path) if spec.addresses else {}
    for wanted in spec.addresses:
        address = found[wanted.name]
        value = (address + wanted.addend) & (1 << 64) - 1 if address else 0
        _IMMEDIATE.pack_into(code, 8 * wanted.insn + 4, value & 0xFFFFFFFF)
        _IMMEDIATE.pack_into(code, 8 * wanted.insn + 12, value >> 32)
    return tuple(held)


def _variable(symbol: str, btf: Btf | None) -> tuple[str, int]:
    """The module and the number of a variable; the module "" where it is the kernel's own."""
    owner, number = numbered(symbol, Kind.VAR, btf)
    if number is None:
        module, _, name = symbol.rpartition(":")
        where = f"the types of module {module}" if module else "its types"
        raise Unsupported(f"the variable {name}", f"{where} tell of none of that name")
    return owner, number


def _addresses(wanted: Iterable[AddressReference], path: str) -> dict[str, int]:
    """The address of each name; 0 where there is none, and the program tests that."""
    names = {one.name for one in wanted}
    tested = {one.name for one in wanted if one.tested}
    listed = _listed({name.encode(): name for name in names}, path)
    for name in sorted(names):
        places = listed.get(name, set())
        if len(places) != 1 and not (name in tested and not places):
            raise _wrong(name, len(places))
        if places == {0}:
            raise Forbidden(f"reading the address of {name}", "CAP_SYSLOG")
    return {name: next(iter(listed.get(name, ())), 0) for name in names}


def _wrong(name: str, places: int) -> SkepError:
    if places:
        problem = f"{places} things in the kernel have that name, at different addresses"
        return BadInput(f"kernel_address({name!r})", problem)
    instead = f"test {name.upper()} is None, where the program may run without it"
    return Unsupported(
        f"the address of {name}", f"{KALLSYMS} has none of that name", instead=instead
    )


def _listed(names: dict[bytes, str], path: str) -> dict[str, set[int]]:
    """The addresses that a list has for names; none where it cannot be read."""
    found: dict[str, set[int]] = {}
    for line in chain.from_iterable(blocks(path)):
        name = names.get(line[19:].split(None, 1)[0])
        if name is not None:
            found.setdefault(name, set()).add(int(line[:16], 16))
    return found
