"""What a function reaches: the functions that it calls, directly or through others."""

from skep.lang.tree import Function


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
