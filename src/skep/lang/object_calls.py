"""The node of the typed tree by which objects are made, given back, linked and taken out."""

from typing import Any

from skep.base.frozen import distinct
from skep.lang.tree import Expr

PEEKS = frozenset({"first", "front", "back", "root", "left", "right"})
"""What finds an object that stays where it is linked."""


@distinct
class ObjectCall(Expr):
    """What is done with objects of class ``object``: ``new``, ``drop``, ``acquire``, or a method of a list or tree.

    Of the latter, and of what keeps one object, ``object`` is the class of that, which comes first among the arguments.
    ``asleep``: the program may wait, so that what it finds, and does not take out, ends with a section of RCU.
    """

    action: str
    object: Any
    args: tuple[Expr, ...]
    asleep: bool = False
