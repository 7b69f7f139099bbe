"""References in values of maps: one is put in and the old one given back, at once (bpf_kptr_xchg)."""

from skep.lang.emit.function import Value, Writer
from skep.lang.tree import ReferenceCall

EXCHANGE = 194
GONE = -3  # ESRCH: the object is on its way out


def change(w: Writer, node: ReferenceCall) -> Value:
    """``set`` gives 0, or a negative error number; ``clear`` 1 where there was something."""
    field, *given = (w.expr(argument).text for argument in node.args)
    if not given:
        return _exchanged(w, node, field, "null", ("0", "1"))
    _declare(w, "ptr", node.reference.acquire)
    new = w.get(f"call ptr @{node.reference.acquire}(ptr {given[0]})")
    kept, end, before = w.name("kept"), w.name("end"), w.block
    w.branch(w.get(f"icmp eq ptr {new}, null"), end, kept)
    w.start(kept)
    value = _exchanged(w, node, field, new, ("0", "0"))
    after = w.block
    w.jump(end)
    w.start(end)
    return Value(w.get(f"phi i32 [ {GONE}, %{before} ], [ {value.text}, %{after} ]"))


def _exchanged(
    w: Writer, node: ReferenceCall, field: str, new: str, results: tuple[str, str]
) -> Value:
    """One reference for another; ``results`` where there was none before, and where there was one."""
    old = w.helper(EXCHANGE, f"ptr {field}, ptr {new}", "ptr")
    held, done, before = w.name("held"), w.name("done"), w.block
    w.branch(w.get(f"icmp eq ptr {old}, null"), done, held)
    w.start(held)
    _declare(w, "void", node.reference.release)
    w.do(f"call void @{node.reference.release}(ptr {old})")
    w.jump(done)
    w.start(done)
    return Value(w.get(f"phi i32 [ {results[0]}, %{before} ], [ {results[1]}, %{held} ]"))


def _declare(w: Writer, result: str, function: str) -> None:
    """A function of the kernel that takes a pointer."""
    w.module.kernel.setdefault(function, f'declare {result} @{function}(ptr) section ".ksyms"')
