"""Where the kernel spends CPU time: its stacks, sampled 199 times a second on each CPU; the five most frequent.

python examples/08_profile.py [--for SECONDS]
"""

import argparse
import time
from contextlib import suppress

import skep

stacks = skep.StackTraces(64, 8192)
samples = skep.Hash(skep.u32, skep.u64, 8192)
idle = skep.PerCpuArray(skep.u64, 1)


@skep.perf_event("cpu-clock", frequency=199)
def on_sample(ctx):
    if skep.get_current_pid_tgid() == 0:
        idle.increment(0)
        return
    stack = skep.get_stackid(stacks, 0)
    if stack >= 0:
        samples.increment(skep.u32(stack))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--for", dest="seconds", type=float, default=1e9)
    seconds = parser.parse_args().seconds
    with skep.load(on_sample) as live:
        with suppress(KeyboardInterrupt):
            time.sleep(seconds)
        counted = dict(live[samples].items())
        total = sum(counted.values())
        print(f"{total} samples in the kernel, {sum(live[idle][0])} while idle")
        most = sorted(counted, key=lambda one: -counted[one])[:5]
        for stack, names in zip(
            most, skep.Symbols().stacks(live[stacks][one] for one in most), strict=True
        ):
            print(f"\n{counted[stack] * 100 / total:5.1f} %")
            for name in names:
                print(f"        {name}")


if __name__ == "__main__":
    main()
