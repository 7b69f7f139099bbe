"""Programs that use the library of tasks, sockets and paths, on objects of the processes in ``mine``."""

import skep
from skep import Array, Hash, Record, Ring, u32, u64
from skep.lang.library import paths, sockets, tasks
from skep.lang.library.sockets import Ends


class Who(Record):
    """What is told of a process that runs a program."""

    process: u32
    thread: u32
    user: u32
    real_user: u32
    parent: u32
    first: u32
    inner: u32
    namespace: u32
    cgroup: u64


mine = Hash(u32, u32, 16)
who = Ring(Who)


@skep.tp_btf("sched_process_exec")
def tells(task, old_pid, bprm):
    if tasks.parent(task) not in mine:
        return
    e = who.reserve()
    if e is None:
        return
    e.process = tasks.current_process()
    e.thread = tasks.current_thread()
    e.user = tasks.current_user()
    e.real_user = tasks.user(task)
    e.parent = tasks.parent(task)
    e.first = tasks.is_process(task)
    e.inner = tasks.inner_pid(task)
    e.namespace = tasks.pid_namespace(task)
    e.cgroup = tasks.cgroup(task)
    e.submit()


class Change(Record):
    """What is told of a socket whose state changes."""

    ends: Ends
    listens: u32
    network: u32
    state: u32


changes = Ring(Change)


@skep.tp_btf("inet_sock_set_state")
def follows(sk, old, new):
    if tasks.current_process() not in mine:
        return
    e = changes.reserve()
    if e is None:
        return
    sockets.put_ends(e.ends, sk)
    e.listens = sockets.is_listening(sk)
    e.network = sockets.network_namespace(sk)
    e.state = new
    e.submit()


room = Array(paths.Names, 1)


@skep.iterator("task_file")
def names(ctx):
    task, file, place = ctx.task, ctx.file, room.lookup(0)
    if task is None or file is None or place is None:
        return 0
    paths.put_names(place, file.f_path)
    skep.seq_write(ctx.meta.seq, place)
    return 0
