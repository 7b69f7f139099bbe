"""Frozen classes of fields that cost next to nothing until they are used.

``@frozen`` and ``@distinct`` make of a class what a frozen and slotted dataclass is: `replace`, `fields` and `asdict`
of `dataclasses` take its instances, and `match` its fields by place. But `dataclasses` compiles six methods of each
class while its module is imported, 0.5 ms a class, and of the hundreds of classes here a command uses few: these have
their methods compiled when they are first called (docs/decisions/0018-frozen-classes.md).

Of `dataclasses.field`, ``default`` and ``default_factory`` are understood. A base that has fields is such a class, too.
"""

from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field
from reprlib import recursive_repr
from types import FunctionType
from typing import Any, NoReturn, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    """Freeze the class; instances are equal, and hash alike, if all of their fields do."""
    return _made(cls, {"__eq__": _Later(_equality), "__hash__": _Later(_hash)})


@dataclass_transform(frozen_default=True, eq_default=False, field_specifiers=(field,))
def distinct(cls: type[T]) -> type[T]:
    """Freeze the class; each instance is equal to itself alone."""
    return _made(cls, {})


def _made(cls: type[T], methods: dict[str, Any]) -> type[T]:
    """The class made anew, for slots are given at the making; what it defines itself goes over ``methods``."""
    own = {name: one for name, one in cls.__dict__.items() if name not in _DESCRIPTORS}
    inherited: dict[str, Any] = getattr(cls, "__field_types__", {})
    types = inherited | own.get("__annotations__", {})
    defaults = {name: own.pop(name) for name in types if name in own}
    about = {
        "__qualname__": cls.__qualname__,
        "__slots__": tuple(name for name in types if name not in inherited),
        "__match_args__": tuple(types),
        "__field_types__": types,
        "__field_defaults__": getattr(cls, "__field_defaults__", {}) | defaults,
        "__dataclass_fields__": _Later(_fields),
    }
    body = _SHARED | {"__init__": _Later(_initializer)} | methods | own | about
    metaclass: Callable[..., type[T]] = type(cls)
    return metaclass(cls.__name__, cls.__bases__, body)


class _Later:
    """An attribute of a class that ``make`` makes when it is first asked for; then that is in its place."""

    def __init__(self, make: Callable[[type[Any]], Any]) -> None:
        self._make = make

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self._owner, self._name = owner, name

    def __get__(self, instance: object, owner: type[Any]) -> object:
        made = self._make(self._owner)
        setattr(self._owner, self._name, made)
        return made.__get__(instance, owner) if isinstance(made, FunctionType) else made


def _fields(cls: type[Any]) -> object:
    """``__dataclass_fields__`` as the dataclass of these fields has it."""
    body = {"__annotations__": cls.__field_types__, **cls.__field_defaults__}
    alike: Any = dataclass(type(cls.__name__, (), body))
    return alike.__dataclass_fields__


def _compiled(cls: type[Any], text: str, **known: object) -> FunctionType:
    """The method of the class that the text defines, which knows what is ``known``."""
    scope, made = {"__name__": cls.__module__, **known}, dict[str, FunctionType]()
    exec(text, scope, made)  # noqa: S102 - the text is made here, of names of fields
    ((name, method),) = made.items()
    method.__qualname__ = f"{cls.__qualname__}.{name}"
    return method


def _initializer(cls: type[Any]) -> FunctionType:
    defaults, factories = _defaults(cls)
    known = {f"_set_{name}": getattr(cls, name).__set__ for name in cls.__match_args__}
    known |= {f"_new_{name}": make for name, make in factories.items()}
    values = {name: name for name in cls.__match_args__}
    values |= {name: f"_new_{name}() if {name} is _absent else {name}" for name in factories}
    body = "; ".join(f"_set_{name}(self, {one})" for name, one in values.items()) or "pass"
    text = f"def __init__({', '.join(('self', *values))}): {body}"
    method = _compiled(cls, text, **known, _absent=_ABSENT)
    method.__defaults__ = tuple(defaults[name] for name in values if name in defaults)
    method.__annotations__ = cls.__field_types__ | {"return": None}
    return method


def _defaults(cls: type[Any]) -> tuple[dict[str, Any], dict[str, Callable[[], Any]]]:
    """The defaults of the fields, by name, and what makes those that are made for each instance."""
    given: dict[str, Any] = cls.__field_defaults__
    said = {name: one for name, one in given.items() if isinstance(one, Field)}
    plain = given | {name: one.default for name, one in said.items()}
    factories = {
        name: one.default_factory
        for name, one in said.items()
        if one.default_factory is not MISSING
    }
    made = plain | dict.fromkeys(factories, _ABSENT)
    return {name: one for name, one in made.items() if one is not MISSING}, factories


def _equality(cls: type[Any]) -> FunctionType:
    same = f"{_tuple('self', cls)} == {_tuple('other', cls)}"
    alike = "other.__class__ is self.__class__"
    return _compiled(cls, f"def __eq__(self, other): return {same} if {alike} else NotImplemented")


def _hash(cls: type[Any]) -> FunctionType:
    return _compiled(cls, f"def __hash__(self): return hash({_tuple('self', cls)})")


def _tuple(of: str, cls: type[Any]) -> str:
    return f"({''.join(f'{of}.{name}, ' for name in cls.__match_args__)})"


@recursive_repr()
def _repr(self: Any) -> str:  # noqa: ANN401 - of any class
    shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__match_args__)
    return f"{self.__class__.__qualname__}({shown})"


def _set(_: object, name: str, __: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _delete(_: object, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _reduce(self: Any) -> tuple[type, tuple[Any, ...]]:  # noqa: ANN401 - of any class
    return self.__class__, tuple(getattr(self, name) for name in self.__match_args__)


class _Absent:
    """The default of a field that has a factory."""

    def __repr__(self) -> str:
        return "<factory>"


_ABSENT = _Absent()
_DESCRIPTORS = ("__dict__", "__weakref__")
"""What is made with each class anew."""
_SHARED = {"__repr__": _repr, "__setattr__": _set, "__delattr__": _delete, "__reduce__": _reduce}
