"""How long block devices take to answer: a histogram in powers of two, printed at the end (Ctrl-C).

A request is known by its address. One that began unseen is not counted; one that comes back in parts is counted when
its last part is there; one that is sent again counts from then on.

    python examples/12_biolatency.py [--for SECONDS]
"""

import argparse
import time
from contextlib import suppress

import skep

issued = skep.LruHash(skep.u64, skep.u64, 16384)
latencies = skep.PerCpuArray(skep.u64, 64)


@skep.tp_btf("block_rq_issue")
def on_issue(rq):
    issued[skep.u64(rq)] = skep.ktime_get_ns()


@skep.tp_btf("block_rq_complete")
def on_complete(rq, error, nr_bytes):
    if nr_bytes < rq.__data_len:  # noqa: SLF001 - the kernel's name
        return
    since = issued.lookup(skep.u64(rq))
    if since is not None:
        latencies.increment(skep.log2((skep.ktime_get_ns() - since) // 1000))
        del issued[skep.u64(rq)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--for", dest="seconds", type=float, default=1e9)
    seconds = parser.parse_args().seconds
    with skep.load(on_issue, on_complete) as live:
        print("Measuring; Ctrl-C ends it.", flush=True)
        with suppress(KeyboardInterrupt):
            time.sleep(seconds)
        print(skep.Histogram.of(live[latencies], "us"))


if __name__ == "__main__":
    main()
