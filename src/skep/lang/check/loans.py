"""Pointers that end before their variables do: views of a packet that is moved, and objects that are to be given back.

Only what is sure is told; what a function hands on to another name, function or memory is left to the verifier.
"""

from collections.abc import Callable
from dataclasses import field, replace
from typing import Self

from skep.base.errors import CompileError, Span
from skep.base.frozen import frozen
from skep.lang.object_calls import PEEKS, ObjectCall
from skep.lang.tree import Assign, Expr, Function, HelperCall, KernelCall, Local, SubCall
from skep.lang.values import BELONGING, Memory, Pointer, Type

MOVES = frozenset(
    {
        *("clone_redirect", "l3_csum_replace", "l4_csum_replace", "store_hdr_opt"),
        *("skb_adjust_room", "skb_change_head", "skb_change_proto", "skb_change_tail"),
        *("skb_pull_data", "skb_store_bytes", "skb_vlan_pop", "skb_vlan_push"),
        *("xdp_adjust_head", "xdp_adjust_meta", "xdp_adjust_tail"),
        *("msg_pull_data", "msg_push_data", "msg_pop_data", "msg_apply_bytes", "msg_cork_bytes"),
        *("lwt_push_encap", "lwt_seg6_action", "lwt_seg6_adjust_srh", "lwt_seg6_store_bytes"),
    }
)
"""Helpers that may move the packet (the kernel's bpf_helper_changes_pkt_data)."""

ACQUIRES = {
    **dict.fromkeys(("sk_lookup_tcp", "sk_lookup_udp", "skc_lookup_tcp"), "sk_release"),
    **dict.fromkeys(
        ("bpf_task_acquire", "bpf_task_from_pid", "bpf_task_from_vpid"), "bpf_task_release"
    ),
    **dict.fromkeys(
        *(
            ("bpf_cgroup_acquire", "bpf_cgroup_ancestor", "bpf_cgroup_from_id"),
            "bpf_cgroup_release",
        )
    ),
    **dict.fromkeys(("bpf_xdp_ct_alloc", "bpf_skb_ct_alloc"), "bpf_ct_insert_entry"),
    **dict.fromkeys(
        ("bpf_xdp_ct_lookup", "bpf_skb_ct_lookup", "bpf_ct_insert_entry"), "bpf_ct_release"
    ),
    "bpf_task_get_cgroup1": "bpf_cgroup_release",
    **dict.fromkeys(("bpf_cpumask_acquire", "bpf_cpumask_create"), "bpf_cpumask_release"),
    "bpf_get_task_exe_file": "bpf_put_file",
}
"""Functions that give an object to the program, and those that take it back."""
RELEASES = frozenset(ACQUIRES.values())
DROP = "drop"
"""What gives an allocated object back, where it is not linked into a list or a tree."""


@frozen
class Owned:
    """An object that the program is to give back: where it came from, and to which function it goes.

    ``sure``: where it is not held, it is None, or nothing was assigned yet: no test of something else decides it.
    """

    span: Span
    release: str
    sure: bool = True

    def hint(self, name: str) -> str:
        """What to do with it, as it lies in a variable."""
        if self.release == DROP:
            return f"every path on which it is not None calls {name}.drop(), or links or keeps it"
        return f"every path on which it is not None calls {self.release}({name})"


@frozen
class Loans:
    """What is known of such pointers at a point, by variable, on some path to it.

    ``views`` point into the packet; ``lost`` may not be used any more, for the reason given; ``tested`` were compared
    with None; ``linked`` are objects of a list or tree, of which the program has no more than the lock.
    """

    views: frozenset[str] = frozenset()
    owned: dict[str, Owned] = field(default_factory=dict)
    lost: dict[str, tuple[str, str]] = field(default_factory=dict)
    tested: frozenset[str] = frozenset()
    linked: frozenset[str] = frozenset()

    def without(self, name: str) -> Self:
        """After another value was assigned to a variable."""
        parts = (self.views, self.owned, self.lost, self.tested, self.linked)
        if not any(name in part for part in parts):
            return self
        return replace(
            self,
            views=self.views - {name},
            owned={k: v for k, v in self.owned.items() if k != name},
            lost={k: v for k, v in self.lost.items() if k != name},
            tested=self.tested - {name},
            linked=self.linked - {name},
        )

    def viewing(self, name: str) -> Self:
        """A variable points into the packet."""
        return replace(self, views=self.views | {name})

    def own(self, name: str, span: Span, release: str) -> Self:
        """A variable holds an object that was acquired, or None."""
        return replace(self, owned=self.owned | {name: Owned(span, release)})

    def test(self, name: str, *, missing: bool) -> Self:
        """Where a variable was compared with None, and is None or is not."""
        if missing and name in self.linked:
            return replace(self, linked=self.linked - {name})
        if name not in self.owned:
            return self
        left = self.hand_on(name) if missing else self
        return replace(left, tested=left.tested | {name})

    def hand_on(self, *names: str) -> Self:
        """What becomes of objects is no longer known."""
        if not self.owned:
            return self
        return replace(self, owned={k: v for k, v in self.owned.items() if k not in names})

    def give_back(self, name: str, release: str) -> Self:
        """An object was released."""
        if name not in self.owned:
            return self
        why = f"{name!r} is used after {release}()", f"{release}() gave it back"
        left = self.hand_on(name)
        return replace(left, lost=left.lost | {name: why})

    def move(self, helper: str) -> Self:
        """The packet may have been moved."""
        if not self.views:
            return self
        lost = {
            name: (
                f"{name!r} is a view of the packet, which {helper}() may have moved",
                f"take the view again behind {helper}()",
            )
            for name in self.views
        }
        return replace(self, views=frozenset(), lost=self.lost | lost)

    def drop(self, name: str) -> Self:
        """An allocated object was given back."""
        why = f"{name!r} is used after {name}.drop()", "drop() gave it back"
        return replace(self.hand_on(name), lost=self.lost | {name: why})

    def keep(self, name: str, action: str) -> Self:
        """An object belongs to the value that keeps it."""
        why = f"{name!r} is used after {action}() kept it", "get() finds what is kept"
        return replace(self.hand_on(name), lost=self.lost | {name: why})

    def link(self, name: str) -> Self:
        """An object belongs to a list or tree: it is reached while the lock is held."""
        return replace(self.hand_on(name), linked=self.linked | {name})

    def cut(self, problem: str, hint: str) -> Self:
        """Objects of lists and trees are reached no more, for the reason given of each."""
        if not self.linked:
            return self
        lost = {name: (problem.format(name), hint) for name in self.linked}
        return replace(self, linked=frozenset(), lost=self.lost | lost)

    def perhaps(self, other: Self) -> Self:
        """After something that may have been evaluated: what it handed on is no longer known."""
        if other is self:
            return self
        lost, linked = self.lost | other.lost, self.linked | other.linked
        owned = {name: one for name, one in self.owned.items() if name in other.owned}
        return replace(self, views=self.views - lost.keys(), owned=owned, lost=lost, linked=linked)

    def refuse_owned(self, present: frozenset[str], span: Span | None) -> None:
        """Raises CompileError where an object is surely held at the end of a program."""
        for name, owned in self.owned.items():
            if owned.sure or name in present or name not in self.tested:
                problem = f"what {name!r} holds since line {owned.span.line} is not given back on this path"
                raise CompileError(problem, span, owned.hint(name))

    def refuse_lost(self, name: str, present: frozenset[str], span: Span) -> None:
        """Raises CompileError where an object is surely held in a variable that gets another value."""
        owned = self.owned.get(name)
        if owned and (owned.sure or name in present or name not in self.tested):
            problem = (
                f"the object that {name!r} holds since line {owned.span.line} would be lost here"
            )
            drop = f"call {name}.drop() before, or link or keep it"
            hint = (
                drop
                if owned.release == DROP
                else f"call {owned.release}({name}) before, where it is not None"
            )
            raise CompileError(problem, span, hint)


NO_LOANS = Loans()


def entering(function: Function) -> Loans:
    """At the beginning of a function: the views that it was given."""
    return Loans(frozenset(one.name for one in function.parameters if _is_view(one.type)))


def assigned(known: Loans, node: Assign) -> Loans:
    """After an assignment: a view of the packet, an object that is to be given back, or another name of one."""
    value = node.value
    if _is_view(value.type):
        return known.viewing(node.name)
    if release := acquired(value):
        return known.own(node.name, node.span, release)
    if isinstance(value, ObjectCall) and value.action in PEEKS:
        return known.link(node.name)
    if isinstance(value, ObjectCall) and _is_object(value.type):
        return known.own(node.name, node.span, DROP)
    if isinstance(value, SubCall) and _is_object(value.type):
        return known.own(node.name, node.span, DROP)
    return known.hand_on(value.name) if isinstance(value, Local) else known


def acquired(value: Expr) -> str:
    """The function that takes back what an expression gives; "" where nothing does."""
    if not isinstance(value, HelperCall | KernelCall):
        return ""
    called = value.helper.name if isinstance(value, HelperCall) else value.name
    return ACQUIRES.get(called, "")


def refuse_unnamed(value: Expr) -> None:
    """Refuse an object that is to be given back, and that no variable holds. CompileError."""
    release = acquired(value)
    if release:
        problem = "what is given here is the program's to give back, and needs a name"
        raise CompileError(problem, value.span, f"x = ..., and {release}(x) where x is not None")


def _is_object(kind: Type) -> bool:
    return isinstance(kind, Pointer) and kind.memory in BELONGING


def _is_view(kind: Type) -> bool:
    return isinstance(kind, Pointer) and kind.memory is Memory.PACKET


Idle = Callable[[str], bool]
"""Whether a variable holds nothing on a path: it is None, or was not assigned."""


def merged(left: Loans, right: Loans, idle: tuple[Idle, Idle]) -> Loans:
    """Where two paths meet; ``idle`` tells of variables on either."""
    if left is right or left == right:
        return left
    owned = left.owned | right.owned
    for name, one in owned.items():
        sides = zip((left.owned.get(name), right.owned.get(name)), idle, strict=True)
        if not all(side.sure if side else nothing(name) for side, nothing in sides):
            owned = owned | {name: replace(one, sure=False)}
    return Loans(
        left.views | right.views,
        owned,
        left.lost | right.lost,
        left.tested | right.tested,
        left.linked | right.linked,
    )
