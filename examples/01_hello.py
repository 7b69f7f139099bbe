"""Every program that starts on this machine, as the kernel sees it."""

import skep


class Exec(skep.Record):
    pid: skep.u32
    comm: skep.char[16]


ring = skep.Ring(Exec)


@skep.tp_btf("sched_process_exec")
def on_exec(task, old_pid, bprm):
    if event := ring.reserve():
        event.pid, event.comm = task.tgid, task.comm
        event.submit()


if __name__ == "__main__":
    with skep.load(on_exec) as live:
        for event in live[ring]:
            print(event.pid, event.comm, flush=True)
