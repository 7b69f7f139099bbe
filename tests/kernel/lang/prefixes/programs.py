"""Programs that write prefixes, with bits behind them that belong to no network."""

import skep
from skep import Global, Lpm, Prefix4, Struct, s32, u32


class Results(Struct):
    """What each step gave."""

    of: s32[12]


routes = Lpm(Prefix4, u32, 4)
results = Global(Results)


def found(address: u32, bits: u32):
    """The value of the longest prefix, or -1."""
    route = routes.lookup(Prefix4(bits, address))
    return s32(route) if route is not None else -1


@skep.xdp
def routes_of_hosts(ctx):
    """Prefixes are the same where their first bits are; one that is too long is refused, and so is one too many."""
    results.of[0] = routes.update(Prefix4(8, 0x0A010203), 1)
    results.of[1] = routes.update(Prefix4(8, 0x0A090909), 2)
    results.of[2] = routes.update(Prefix4(40, 0x0A090909), 2)
    results.of[3] = routes.delete(Prefix4(40, 0x0A090909))
    routes[Prefix4(16, 0x0A01FFFF)] = 5
    results.of[4] = routes.delete(Prefix4(16, 0x0A02FFFF))
    results.of[5] = found(0x0A01FFFF, 32) * 10 + found(0x0A02FFFF, 12)
    results.of[6] = found(0x0A01FFFF, 40)
    routes.increment(Prefix4(24, 0x0A01FFFF))
    results.of[7] = found(0x0A010000, 16)
    results.of[8] = (Prefix4(20, 0x0A01FFFF) in routes) + (Prefix4(4, 0x0A01FFFF) in routes) * 2
    routes.increment(Prefix4(24, 0x0B01FFFF))
    routes[Prefix4(0, 0x12345678)] = 9
    results.of[9] = routes.update(Prefix4(31, 0x12345678), 9)
    results.of[10] = routes.delete(Prefix4(8, 0x0A7F0000))
    results.of[11] = found(0x0A7F0000, 32)
    return 2
