"""Programs with locks whose taking may fail, two of which are held at a time."""

import skep
from skep import Array, ResilientSpinLock, Struct, u64

take, give = skep.kfunc("bpf_res_spin_lock"), skep.kfunc("bpf_res_spin_unlock")


class Account(Struct):
    """What is moved."""

    amount: u64
    lock: ResilientSpinLock


accounts = Array(Account, 2)


@skep.tc("ingress")
def moves(ctx):
    """From one account to the other, both of which are locked."""
    one, other = accounts.lookup(0), accounts.lookup(1)
    if one is None or other is None or take(one.lock) != 0:
        return 1
    if take(other.lock) != 0:
        give(one.lock)
        return 1
    one.amount -= 5
    other.amount += 5
    give(other.lock)
    give(one.lock)
    return 2


@skep.tc("ingress")
def takes_twice(ctx):
    """What would stand still: the second one fails."""
    one, same = accounts.lookup(0), accounts.lookup(0)
    if one is None or same is None or take(one.lock) != 0:
        return 1
    if take(same.lock) != 0:
        one.amount += 1
        give(one.lock)
        return 2
    give(same.lock)
    give(one.lock)
    return 3
