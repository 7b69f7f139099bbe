"""An iterator over TCP sockets that changes them."""

import skep
from skep import Array, Global, Struct, s32, s64, u32

TCP, KEEPINTVL = 6, 5


class Wanted(Struct):
    """The local port of the sockets, and how often they are to ask after their peer."""

    port: u32
    seconds: s32


wanted = Global(Wanted)
found = Array(s64, 4)


@skep.iterator("tcp")
def options(ctx):
    """Notes an option of sockets, and gives it another value."""
    sk = ctx.sk_common
    if sk is None or sk.skc_num != wanted.port:
        return 0
    value = s32[1]()
    found[0] = skep.getsockopt(sk, TCP, KEEPINTVL, value)
    found[1] = value[0]
    value[0] = wanted.seconds
    found[2] = skep.setsockopt(sk, TCP, KEEPINTVL, value)
    found[3] = skep.setsockopt(sk, TCP, 9999, value)
    return 0
