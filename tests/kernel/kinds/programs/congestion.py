"""TCP's congestion control, Reno's, as a table of programs; it counts what it is asked."""

import skep
from skep import Array, u64

counts = Array(u64, 4)
FEWEST = 2


@skep.struct_ops("tcp_congestion_ops.ssthresh")
def ssthresh(sk):
    """Half of the window, when something was lost."""
    counts.increment(0)
    return max(sk.snd_cwnd >> 1, FEWEST)


@skep.struct_ops("tcp_congestion_ops.undo_cwnd")
def undo_cwnd(sk):
    """The window as it was, when nothing was lost after all."""
    counts.increment(1)
    return max(sk.snd_cwnd, sk.prior_cwnd)


@skep.struct_ops("tcp_congestion_ops.cong_avoid")
def cong_avoid(sk, ack, acked):
    """It grows by what was acknowledged, and above the threshold by one in each round trip."""
    counts.increment(2)
    if sk.snd_cwnd < sk.snd_ssthresh:
        sk.snd_cwnd = min(sk.snd_cwnd + acked, sk.snd_cwnd_clamp)
        return
    grown = sk.snd_cwnd_cnt + acked
    if grown < sk.snd_cwnd:
        sk.snd_cwnd_cnt = grown
        return
    sk.snd_cwnd_cnt = 0
    sk.snd_cwnd = min(sk.snd_cwnd + 1, sk.snd_cwnd_clamp)


reno = skep.StructOps(
    "tcp_congestion_ops",
    name="skep_reno",
    ssthresh=ssthresh,
    undo_cwnd=undo_cwnd,
    cong_avoid=cong_avoid,
)
wrong = skep.StructOps("tcp_congestion_ops", nam="skep_reno", ssthresh=ssthresh)
long = skep.StructOps("tcp_congestion_ops", name="a_name_that_is_too_long", ssthresh=ssthresh)
