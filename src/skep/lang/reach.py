"""What a function reaches: the functions that it calls, directly or through others, and other programs."""

from skep.lang.helpers import Helper
from skep.lang.tree import Function, HelperCall, MapCall, Node, SubCall


def reachable(entry: Function) -> list[Function]:
    """A function and those that it calls, each once, callers first."""
    found: list[Function] = []
    queue = [entry]
    while queue:
        function = queue.pop(0)
        if all(function is not other for other in found):
            found.append(function)
            queue += function.calls
    return found


def goes_on(node: Node) -> bool:
    """Whether a node goes on in another program, in the place of this one, or calls a function that does.

    A global function that does so comes back: it gives what that program gives.
    """
    match node:
        case SubCall(function=function):
            return function.tails and not function.is_global
        case MapCall(method=name) | HelperCall(helper=Helper(name=name)):
            return name == "tail_call"
    return False
