"""Programs that change several fields of a value together."""

import skep
from skep import Array, Hash, SpinLock, Struct, s64, u32, u64


class Account(Struct):
    total: u64
    lock: SpinLock
    steps: u32
    last: s64


accounts = Hash(u32, Account, 8)
table = Array(Account, 1)


@skep.tc("ingress")
def deposits(ctx):
    account = accounts.lookup(1)
    if account is None:
        return 1
    amount = len(ctx)
    large = False
    with account.lock:
        account.total += amount
        account.steps += 1
        if account.total > 100:
            account.last = -1
            large = True
        for i in range(3):
            if i == 2:
                break
            account.last += 1
    cell = table.lookup(0)
    if cell is None:
        return 2
    with cell.lock:
        cell.steps += 2
    return 3 if large else 0
