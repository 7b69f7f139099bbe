"""Objects that values keep one by one: exchanged at once (bpf_kptr_xchg), read where they are."""

from skep.lang.emit.function import Value, Writer
from skep.lang.emit.references import EXCHANGE
from skep.lang.keepers import is_per_cpu
from skep.lang.object_calls import ObjectCall

THIS_CPU, THAT_CPU = 154, 153
DROP, DROP_PER_CPU = "bpf_obj_drop_impl", "bpf_percpu_obj_drop_impl"


def put(w: Writer, node: ObjectCall, given: list[str]) -> Value:
    """``set``: the object before is dropped."""
    old = w.helper(EXCHANGE, f"ptr {given[0]}, ptr {given[1]}", "ptr")
    _dropped(w, node, old)
    return Value("0")


def swap(w: Writer, _: ObjectCall, given: list[str]) -> Value:
    """The object before is the program's."""
    return Value(w.helper(EXCHANGE, f"ptr {given[0]}, ptr {given[1]}", "ptr"))


def take(w: Writer, _: ObjectCall, given: list[str]) -> Value:
    """Nothing is kept any more."""
    return Value(w.helper(EXCHANGE, f"ptr {given[0]}, ptr null", "ptr"))


def clear(w: Writer, node: ObjectCall, given: list[str]) -> Value:
    """1 where there was an object."""
    old = w.helper(EXCHANGE, f"ptr {given[0]}, ptr null", "ptr")
    return Value(_dropped(w, node, old))


def _dropped(w: Writer, node: ObjectCall, old: str) -> str:
    """What was kept is dropped, where there was something; whether there was."""
    held, done, before = w.name("held"), w.name("done"), w.block
    w.branch(w.get(f"icmp eq ptr {old}, null"), done, held)
    w.start(held)
    drop = DROP_PER_CPU if is_per_cpu(node.object) else DROP
    w.module.kernel.setdefault(drop, f'declare void @{drop}(ptr, ptr) section ".ksyms"')
    w.do(f"call void @{drop}(ptr {old}, ptr null) nomerge")
    w.jump(done)
    w.start(done)
    return w.get(f"phi i32 [ 0, %{before} ], [ 1, %{held} ]")


def get(w: Writer, _: ObjectCall, given: list[str]) -> Value:
    """The address as it lies there."""
    return Value(w.get(f"load ptr, ptr {given[0]}, align 8"))


def of_cpu(w: Writer, node: ObjectCall, given: list[str]) -> Value:
    """``here``, ``on``: the object of a CPU, or null."""
    whole = w.get(f"load ptr, ptr {given[0]}, align 8")
    held, done, before = w.name("held"), w.name("done"), w.block
    w.branch(w.get(f"icmp eq ptr {whole}, null"), done, held)
    w.start(held)
    if node.action == "here":
        found = w.helper(THIS_CPU, f"ptr {whole}", "ptr")
    else:
        found = w.helper(THAT_CPU, f"ptr {whole}, i32 {given[1]}", "ptr")
    w.jump(done)
    w.start(done)
    return Value(w.get(f"phi ptr [ null, %{before} ], [ {found}, %{held} ]"))
