"""Packets: views of their bytes, where they are long enough."""

from skep.lang.bounds import upper_bound
from skep.lang.emit.function import Value, Writer
from skep.lang.emit.text import llvm_type
from skep.lang.tree import View

PACKET_LIMIT = 0xFFFF


def _bound(w: Writer, context: str, offset: int, *, wide: bool) -> str:
    w.use("llvm.preserve.static.offset")
    base = w.get(f"call ptr @llvm.preserve.static.offset(ptr {context})")
    if wide:
        return w.get(f"load ptr, ptr {w.offset(base, offset)}, align 8")
    value = w.get(f"load i32, ptr {w.offset(base, offset)}, align 4")
    return w.get(f"inttoptr i64 {w.get(f'zext i32 {value} to i64')} to ptr")


def view(w: Writer, node: View) -> Value:
    """A view of a packet and whether the packet is long enough for it."""
    context = w.expr(node.context).text
    offset = w.expr(node.offset).text
    have = llvm_type(node.offset.type)
    if have != "i64":
        offset = w.get(f"zext {have} {offset} to i64") if not offset.isdigit() else offset
    size = node.type.target.size
    limit = PACKET_LIMIT - size  # the verifier takes no pointer that may be further away
    if upper_bound(node.offset) <= limit:
        return _checked(w, node, context, offset, size)
    inside, end, before = w.name("inside"), w.name("end"), w.block
    w.branch(w.get(f"icmp ugt i64 {offset}, {limit}"), end, inside)
    w.start(inside)
    bounded = w.get(f'call i64 asm sideeffect "", "=r,0"(i64 {offset})')
    limited = w.get(f"icmp ule i64 {bounded}, {limit}")
    near, far = w.name("near"), end
    second = w.block
    w.branch(limited, near, far)
    w.start(near)
    value = _checked(w, node, context, bounded, size)
    third = w.block
    w.jump(end)
    w.start(end)
    pointer = w.get(f"phi ptr [ null, %{before} ], [ null, %{second} ], [ {value.text}, %{third} ]")
    ok = w.get(f"phi i1 [ false, %{before} ], [ false, %{second} ], [ {value.ok}, %{third} ]")
    return Value(pointer, ok)


def _checked(w: Writer, node: View, context: str, offset: str, size: int) -> Value:
    start = _bound(w, context, node.start_field, wide=node.wide)
    limit = _bound(w, context, node.end_field, wide=node.wide)
    pointer = w.offset(start, offset if not offset.isdigit() else int(offset))
    beyond = w.offset(pointer, size)
    return Value(pointer, w.get(f"icmp ule ptr {beyond}, {limit}"))
