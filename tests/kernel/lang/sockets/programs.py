"""Programs that put sockets which they found into maps of sockets, and one whose sockets hand on their values."""

import skep
from skep import Array, SocketStorage, SockHash, SockMap, Struct, u32, u64

found, kept = SockMap(4), SockMap(4)
by_number = SockHash(u32, 4)
results = Array(u64, 2)


@skep.tc("ingress")
def copies(ctx):
    """A socket of one map goes into two others."""
    sk = found.lookup(1)
    if sk is None:
        return 1
    results[0] = 1 + kept.update(sk, 2)
    results[1] = 1 + by_number.update(sk, 7, 1)
    skep.sk_release(sk)
    return 0


@skep.iterator("sockmap")
def copies_all(ctx):
    """All sockets of a map go into another one."""
    number, sk = ctx.key.view(u32), ctx.sk
    if number is not None and sk is not None:
        by_number.update(sk, number + 10)
    return 0


class Limit(Struct):
    """What holds for a socket."""

    bytes: u64


limits = SocketStorage(Limit, clone=True)
others = SocketStorage(Limit)


@skep.cgroup("post_bind4")
def limits_listeners(ctx):
    """Two values of a socket that is bound."""
    limit, other = limits.get(ctx, Limit(5)), others.get(ctx, Limit(6))
    return 1 if limit is not None and other is not None else 0


@skep.syscall_program()
def without_a_context():
    """What a test runs that gives it nothing."""
    results[0] = skep.sizeof(Limit)
    return 3
