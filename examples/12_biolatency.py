"""How long block devices take to answer: a histogram in powers of two, printed at the end (Ctrl-C).

A request is known by its address. One that began unseen is not counted; one that comes back in parts is counted when
its last part is there; one that is sent again counts from then on.

    python examples/12_biolatency.py [--for SECONDS]
"""

import argparse
import time
from contextlib import suppress

import skep

SLOTS = 26

issued = skep.LruHash(skep.u64, skep.u64, 16384)
latencies = skep.PerCpuArray(skep.u64, SLOTS)


def log2(value: skep.u64):
    """The power of two that ``value`` reaches."""
    power = 0
    for _ in range(SLOTS - 1):
        if value <= 1:
            break
        value >>= 1
        power += 1
    return power


@skep.tp_btf("block_rq_issue")
def on_issue(rq):
    issued[skep.u64(rq)] = skep.ktime_get_ns()


@skep.tp_btf("block_rq_complete")
def on_complete(rq, error, nr_bytes):
    if nr_bytes < rq.__data_len:  # noqa: SLF001 - the kernel's name
        return
    since = issued.lookup(skep.u64(rq))
    if since is not None:
        latencies.increment(skep.u32(log2((skep.ktime_get_ns() - since) // 1000)))
        del issued[skep.u64(rq)]


def histogram(counts: list[int]) -> str:
    most = max(*counts, 1)
    used = [i for i, count in enumerate(counts) if count] or [0]
    lines = [f"{'TOOK':>12} {'REQUESTS':>9}"]
    for i in range(used[-1] + 1):
        label = f"< {2 << i} us"
        lines.append(f"{label:>12} {counts[i]:9} {'#' * (50 * counts[i] // most)}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--for", dest="seconds", type=float, default=1e9)
    seconds = parser.parse_args().seconds
    with skep.load(on_issue, on_complete) as live:
        print("Measuring; Ctrl-C ends it.", flush=True)
        with suppress(KeyboardInterrupt):
            time.sleep(seconds)
        print(histogram([sum(cpus) for cpus in live[latencies].values()]))


if __name__ == "__main__":
    main()
