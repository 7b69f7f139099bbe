"""One event as people and clients read it: its fields in the forms of its record. Without numpy, for few events.

It says what the batches' ``Formatter`` says, field by field; a test compares them.
"""

from collections.abc import Callable
from typing import Any

from skep.events.forms import (
    Address,
    Bytes,
    Form,
    Given,
    Hex,
    Hidden,
    Marks,
    Names,
    Unless,
    Words,
)
from skep.events.shows import INET, INET6, IPV4, address, is_octets, readable
from skep.lang.struct import Field, Struct

Shown = dict[str, Any]


def shown(event: Struct) -> Shown:
    """The fields of a Record by name as JSON has them, without its header; of another Struct all, as they are."""
    forms = getattr(type(event), "forms", {})
    found: Shown = {}
    for field in type(event).fields:
        _add(found, event, field, forms.get(field.name))
    return found


def _add(found: Shown, event: Struct, field: Field, form: Form | None) -> None:
    match form:
        case Hidden():
            return
        case Given(form=own, by=by) | Unless(form=own, by=by):
            value = getattr(event, by or field.name)
            if (any(value) if isinstance(value, list) else bool(value)) is isinstance(form, Given):
                _add(found, event, field, own)
        case Marks(bits=bits):
            value = getattr(event, field.name)
            found.update({name: True for bit, name in bits if value & bit})
        case _:
            show = _SHOWS.get(type(form), _plain)
            found[field.name] = show(event, field, form)


def _raw(event: Struct, field: Field) -> bytes:
    size = int(field.type.size)
    return event.to_bytes()[field.offset : field.offset + size]


def _plain(event: Struct, field: Field, _: Any) -> Any:  # noqa: ANN401 - a form; a value of JSON
    if is_octets(field.type):
        return _raw(event, field).hex()
    return _value(getattr(event, field.name))


def _value(value: Any) -> Any:  # noqa: ANN401 - a value of the language, one of JSON
    if isinstance(value, Struct):
        return {name: _value(part) for name, part in value}
    return [_value(part) for part in value] if isinstance(value, list) else value


def _hex(event: Struct, field: Field, _: Any) -> str:  # noqa: ANN401 - a form
    return f"{getattr(event, field.name):#x}"


def _names(event: Struct, field: Field, form: Names) -> str | int:
    value: int = getattr(event, field.name)
    return dict(form.table).get(value, value)


def _address(event: Struct, field: Field, form: Address) -> str | None:
    otherwise = INET if field.type.size == IPV4 else INET6
    family = getattr(event, form.family) if form.family else otherwise
    if is_octets(field.type):
        return address(family, _raw(event, field))
    value = getattr(event, field.name)
    words = value if isinstance(value, list) else [value]
    return address(family, b"".join(word.to_bytes(IPV4, "big") for word in words))


def _words(event: Struct, field: Field, form: Words) -> list[str]:
    raw = _raw(event, field)[: getattr(event, form.used)]
    return [readable(part) for part in raw.removesuffix(b"\0").split(b"\0")] if raw else []


def _bytes(event: Struct, field: Field, _: Any) -> str:  # noqa: ANN401 - a form
    return readable(_raw(event, field).partition(b"\0")[0])


_SHOWS: dict[type, Callable[[Struct, Field, Any], Any]] = {
    Hex: _hex,
    Names: _names,
    Address: _address,
    Words: _words,
    Bytes: _bytes,
}
