"""Programs that look into lists and trees, and search a tree."""

import skep
from skep import Array, List, ListNode, Object, RefCount, SpinLock, Struct, Tree, TreeNode, u32, u64
from tests.kernel.lang.both import Given


class Item(Object):
    """A number with a value."""

    key: u32
    value: u64
    holders: RefCount
    node: ListNode
    sorted: TreeNode


class Shelf(Struct):
    """What is linked."""

    lock: SpinLock
    count: u32
    items: List[Item]
    tree: Tree[Item]


shelves = Array(Shelf, 1)


def less(a, b):
    return a.key < b.key


@skep.xdp
def puts(ctx):
    """An item into both."""
    v, shelf, item = ctx.view(Given), shelves.lookup(0), Item.new()
    if item is None:
        return 0
    if v is None or shelf is None:
        item.drop()
        return 0
    item.key, item.value = v.b, v.a
    again = item.acquire()
    with shelf.lock:
        shelf.tree.add(item, less)
        if again is not None:
            shelf.items.push_back(again)
        shelf.count += 1
    return 2


@skep.xdp
def finds(ctx):
    """The value under a key, from the root on, and the keys at the ends of the list."""
    v, shelf = ctx.view(Given), shelves.lookup(0)
    if v is None or shelf is None:
        return 0
    found, first, last, steps = u64(0), u32(0), u32(0), u32(0)
    with shelf.lock:
        at = shelf.tree.root()
        for _ in range(8):
            if at is None:
                break
            if at.key == v.b:
                found = at.value
                break
            at = shelf.tree.left(at) if v.b < at.key else shelf.tree.right(at)
            steps += 1
        item = shelf.items.front()
        if item is not None:
            first = item.key
        item = shelf.items.back()
        if item is not None:
            last = item.key
    v.out.view(u64)[0] = found
    return first << 8 | last if steps < 8 else 1
