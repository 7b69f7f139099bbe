"""Objects that a program allocates, and what they are linked into: lists and red-black trees in values and in objects.

    class Entry(Object):
        key: u64
        node: ListNode

    class Bucket(Struct):
        lock: SpinLock
        entries: List[Entry]

In memory nodes and heads are structs of the kernel's, found by their BTF names; of the sizes of Linux 6.6. What a head
is of, the kernel is told by a note on its field ("contains:Entry:node").
"""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from skep.lang.spec import ProgramSpec
from skep.lang.struct import Field, Struct, StructType
from skep.lang.types import u32, u64

T = TypeVar("T")


def compiled(what: str) -> TypeError:
    """What is raised where Python calls a method that programs call."""
    return TypeError(f"{what} exists in programs: the kernel keeps such objects")


class ListNode(Struct):
    """The field of an object by which a List links it."""

    btf_name = "bpf_list_node"
    opaque: u64[3]


class TreeNode(Struct):
    """The field of an object by which a Tree links it."""

    btf_name = "bpf_rb_node"
    opaque: u64[4]


class RefCount(Struct):
    """The field of an object that several may hold: ``entry.acquire()`` gives it one more holder."""

    btf_name = "bpf_refcount"
    opaque: u32[1]


NODES: tuple[StructType, ...] = (ListNode, TreeNode, RefCount)


class Object(Struct):
    """Base of what programs allocate: numbers, arrays and Structs, and the nodes by which it is linked. Linux 6.6.

    With a SpinLock it has lists and trees itself, of objects that have none.
    """

    @classmethod
    def new(cls) -> Self | None:
        """An object, its fields zero; None where there is no memory. It is dropped, or linked, on every path."""
        raise compiled(f"{cls.__name__}.new()")

    @classmethod
    def new_per_cpu(cls) -> Self | None:
        """An object for each CPU, which a field ``PerCpu[...]`` keeps; None where there is no memory."""
        raise compiled(f"{cls.__name__}.new_per_cpu()")

    def drop(self) -> None:
        """Give it back."""
        raise compiled("drop()")

    def acquire(self) -> Self | None:
        """Hold it once more, where it has a RefCount."""
        raise compiled("acquire()")


class Head(Struct):
    """A list or a tree in a value or an object: of ``element`` objects, which it links by their field ``node``.

    It has no fields: what stands there are addresses of the kernel, which nobody sees.
    """

    element = Object
    node = Field("", ListNode, 0)


HEAD_SIZE, HEAD_ALIGN = 16, 8


class Keeper(Struct):
    """One object, of class ``element``, in a value or an object (``keepers``); ``note`` tells the kernel of it."""

    element = Object
    note = ""


def is_object(kind: Any) -> bool:
    """Whether a type is a class of objects."""
    return isinstance(kind, StructType) and issubclass(kind, Object) and kind is not Object


def is_head(kind: Any) -> bool:
    """Whether a type is a list or a tree."""
    return isinstance(kind, StructType) and issubclass(kind, Head)


def is_keeper(kind: Any) -> bool:
    """Whether a type keeps one object."""
    return isinstance(kind, StructType) and issubclass(kind, Keeper)


def element_of(head: Any) -> StructType:
    """The class of objects that a list or a tree links, or a field keeps one of."""
    kind: StructType = head.element
    return kind


LOCK = "bpf_spin_lock"


def is_lock(kind: Any) -> bool:
    """Whether a type is a lock."""
    return isinstance(kind, StructType) and vars(kind).get("btf_name") == LOCK


def heads_of(value: Any) -> list[Field]:
    """The lists and trees of a value or of a class of objects."""
    fields = value.fields if isinstance(value, StructType) else ()
    return [field for field in fields if is_head(field.type)]


def _keepers_of(value: Any) -> list[Field]:
    fields = value.fields if isinstance(value, StructType) else ()
    return [field for field in fields if is_keeper(field.type)]


def objects_of(value: Any) -> list[StructType]:
    """The classes of objects that a value links or keeps, and those that these link or keep, each once."""
    found = list(
        dict.fromkeys(field.type.element for field in (*heads_of(value), *_keepers_of(value)))
    )
    inner = (one for kind in found for one in objects_of(kind))
    return list(dict.fromkeys((*found, *inner)))


def links(spec: ProgramSpec) -> bool:
    """Whether a program makes objects, or uses maps that link them."""
    return bool(spec.types) or any(objects_of(one.value) for one in spec.maps)


def is_kernels(kind: Any) -> bool:
    """Whether a field of an object is kept by the kernel: a node, a list, a tree, another object, a lock."""
    return kind in NODES or is_head(kind) or is_keeper(kind) or is_lock(kind)


def data_of(kind: StructType) -> list[tuple[int, int]]:
    """Where the fields of an object lie that are the program's own: (offset, size) of each run between the kernel's."""
    nodes = sorted((f.offset, f.type.size) for f in kind.fields if is_kernels(f.type))
    runs, at = [], 0
    for start, size in (*nodes, (kind.size, 0)):
        if start > at:
            runs.append((at, start - at))
        at = start + size
    return runs


def check_object(element: StructType) -> None:
    """Refuse objects that the kernel does not take. TypeError."""
    nodes = [field.type for field in element.fields if field.type in NODES]
    for kind in NODES:
        if nodes.count(kind) > 1:
            raise TypeError(f"{element!r}: an object has one {kind!r} at most")
    if {ListNode, TreeNode} <= set(nodes) and RefCount not in nodes:
        raise TypeError(
            f"{element!r} may be in a list and in a tree: give it a field: holders: skep.RefCount"
        )
    for field in element.fields:
        kept = any(hasattr(field.type, one) for one in ("btf_name", "kernel"))
        if kept and not is_kernels(field.type):
            raise TypeError(
                f"{element!r}.{field.name}: an object has numbers, arrays, Structs, nodes, lists, trees and a lock, "
                f"no {field.type!r}"
            )
    _check_heads(element, linked={ListNode, TreeNode} & set(nodes) != set())


def _check_heads(element: StructType, *, linked: bool) -> None:
    """Refuse lists and trees of objects without a lock, and those in objects that are three deep. TypeError."""
    locks = sum(is_lock(field.type) for field in element.fields)
    for field in heads_of(element):
        word = f"{element!r}.{field.name}"
        if locks != 1:
            raise TypeError(
                f"{word} is used under a lock; give {element!r} one: lock: skep.SpinLock"
            )
        inner = element_of(field.type)
        if linked and heads_of(inner):
            raise TypeError(
                f"{word}: {element!r} is linked itself, so it links objects that link none; {inner!r} does"
            )


def _head(kind: Any, base: StructType, node: StructType) -> StructType:
    """The class of the lists or trees of a class of objects. TypeError where it cannot be linked so."""
    word = base.__name__
    if not is_object(kind):
        raise TypeError(
            f"{word}[...] takes a class of objects, class Entry(skep.Object), not {kind!r}"
        )
    check_object(kind)
    found = next((field for field in kind.fields if field.type is node), None)
    if found is None:
        raise TypeError(f"{word}[{kind!r}] links {kind!r} by a field; give it: node: skep.{node!r}")
    space = {"element": kind, "node": found, "btf_name": vars(base)["btf_name"]}
    made = StructType(f"{word}[{kind!r}]", (base,), space, size=HEAD_SIZE)
    made.align = HEAD_ALIGN
    return made


class _List(Head):
    btf_name = "bpf_list_head"


class _Tree(Head):
    btf_name = "bpf_rb_root"


_List.__name__, _Tree.__name__ = "List", "Tree"


@cache
def _list_of(element: Any) -> StructType:
    return _head(element, _List, ListNode)


@cache
def _tree_of(element: Any) -> StructType:
    return _head(element, _Tree, TreeNode)


def is_tree(kind: Any) -> bool:
    """Whether a type is a tree."""
    return isinstance(kind, StructType) and issubclass(kind, _Tree)


if TYPE_CHECKING:

    class List(Generic[T]):
        """A list of objects in a value or an object, under the lock there: ``entries: List[Entry]``. Linux 6.6."""

        def push_front(self, entry: T) -> int:
            """Link an object at the front: it is the list's from now on."""
            raise compiled("push_front()")

        def push_back(self, entry: T) -> int:
            """Link an object at the end."""
            raise compiled("push_back()")

        def pop_front(self) -> T | None:
            """Take the first object out, or None: it is the program's from now on."""
            raise compiled("pop_front()")

        def pop_back(self) -> T | None:
            """Take the last object out, or None."""
            raise compiled("pop_back()")

        def front(self) -> T | None:
            """The first object, or None: it stays the list's. Linux 6.16."""
            raise compiled("front()")

        def back(self) -> T | None:
            """The last object, or None. Linux 6.16."""
            raise compiled("back()")

    class Tree(Generic[T]):
        """A sorted tree of objects in a value or an object, under its lock: ``queue: Tree[Entry]``. Linux 6.6."""

        def add(self, entry: T, less: Callable[[T, T], Any]) -> int:
            """Link an object behind those that it is not less than: it is the tree's from now on."""
            raise compiled("add()")

        def first(self) -> T | None:
            """The least object, or None: it stays the tree's, and is read and written under the lock."""
            raise compiled("first()")

        def root(self) -> T | None:
            """The object at which a search begins, or None. Linux 6.16."""
            raise compiled("root()")

        def left(self, entry: T) -> T | None:
            """The object below another one, of those before it, or None. Linux 6.16."""
            raise compiled("left()")

        def right(self, entry: T) -> T | None:
            """The same of those behind it. Linux 6.16."""
            raise compiled("right()")

        def remove(self, entry: T) -> T | None:
            """Take an object out: it is the program's from now on; None where it is in no tree any more."""
            raise compiled("remove()")

else:

    class List:
        """A list of objects in a value or an object, under the lock there: ``entries: List[Entry]``. Linux 6.6."""

        def __class_getitem__(cls, element: Any) -> StructType:
            return _list_of(element)

    class Tree:
        """A sorted tree of objects in a value or an object, under its lock: ``queue: Tree[Entry]``. Linux 6.6."""

        def __class_getitem__(cls, element: Any) -> StructType:
            return _tree_of(element)
