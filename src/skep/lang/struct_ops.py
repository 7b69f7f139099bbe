"""Function tables of the kernel's, filled with programs: ``StructOps``, a value that a loader registers.

Each member that is a function is a program of kind ``struct_ops``; the others are numbers and text.
"""

from typing import Any

from skep.lang.programs import Decorator, Program, on


class StructOps:
    """``StructOps("tcp_congestion_ops", name="skep", ssthresh=..., ...)``: members by name. Linux 5.6."""

    def __init__(self, ops: str, **members: Any) -> None:
        self.ops, self.members = ops, members
        for name, value in members.items():
            if isinstance(value, Program) and value.hook != f"{ops}.{name}":
                raise ValueError(f"{value.name} is for {value.hook}, not for {ops}.{name}")
            if not isinstance(value, Program | int | str):
                raise TypeError(f"{ops}.{name} is a program, a number or text, not {value!r}")

    @property
    def programs(self) -> tuple[Program, ...]:
        """The programs in it, in the order in which they are given."""
        return tuple(value for value in self.members.values() if isinstance(value, Program))

    def __repr__(self) -> str:
        return f"<StructOps {self.ops} of {len(self.programs)} programs>"


def struct_ops(member: str, *, sleepable: bool = False) -> Decorator:
    """A function of a table, ``@struct_ops("tcp_congestion_ops.ssthresh")``, with its parameters typed. Linux 5.6.

    It may set those fields of the objects that it is given which the kernel lets be set.
    """
    if member.count(".") != 1:
        raise ValueError(f'a member is named "table.member", not {member!r}')
    return on("struct_ops", member, sleepable=sleepable)
