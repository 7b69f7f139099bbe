"""``Rejection``: what the verifier says, and what it means: a row of the tables of rejections."""

from skep.base.frozen import frozen


@frozen
class Rejection:
    """A row: the verifier's words, the cause, the fix.

    ``calls``: the log names no line, and the calls are meant by which a program has most on its stack.
    """

    pattern: str
    cause: str
    fix: str
    call: str = ""
    after: str = ""
    last: str = ""
    calls: bool = False
