"""``skep run`` of files that only define programs: each is attached where the options say, and what comes is shown."""

import ctypes  # noqa: TID251 - a function of a library is called, as any program would
import json
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from skep.cli import run_contents
from skep.testing.cgroups import Cgroup
from skep.testing.network import Wire

pytestmark = pytest.mark.native("compiles files of the test's own")
Rows = Callable[[Callable[[dict[str, Any]], bool]], dict[str, Any]]

SAMPLES = """
import skep

class Call(skep.Struct):
    pid: skep.u32
    number: skep.u32

calls, some = skep.PerfBuffer(Call), skep.PerfBuffer(None)

@skep.uprobe()
def anywhere(value: skep.s32):
    if value == -770077:
        memory = skep.u8[4]()
        memory[0] = 65
        some.output(memory)
        calls.output(Call(skep.u32(skep.get_current_pid_tgid() >> 32), 7))
"""
TAILS = """
import skep

class Line(skep.Record):
    pid: skep.u32

lines = skep.VariableRing(Line)

@skep.tp_btf("sched_process_exec")
def tells(task, old_pid, bprm):
    e = lines.reserve(16)
    if e is not None:
        e.pid = task.tgid
        e.write(0, task.comm)
        e.submit()
"""
ROUTE = """
import skep

class Left(skep.Record):
    size: skep.u32

left = skep.Ring(Left)

@skep.lwt("xmit")
def leaves(ctx):
    e = left.reserve()
    if e is not None:
        e.size = ctx.len
        e.submit()
    return 0
"""
GROUPS = """
import skep

@skep.iterator("cgroup")
def groups(ctx):
    group = ctx.cgroup
    if group is not None:
        text = skep.char[8]()
        text[:] = "a group\\n"
        skep.seq_write(ctx.meta.seq, text)
    return 0
"""


CONTENTS = """
import skep
from skep import Struct, u32, u64

class Node(Struct):
    next: u32
    value: u32

class Heap(Struct):
    total: u64
    nodes: Node[4096]

class State(Struct):
    hits: u64
    last: u32[4]

jobs, done, kept = skep.Queue(u32, 2), skep.Stack(u32, 8), skep.Queue(u32, 8, pin="kept")
calls, groups = skep.TaskStorage(u64), skep.CgroupStorage(u64)
heap, state = skep.Arena(Heap), skep.Global(State)
waits = skep.PerCpuArray(u64, 64, bars=skep.Bars("us"))
stacks = skep.StackTraces(32, 64)
pods = skep.HashOfMaps(u32, skep.Hash(u32, u64, 8), 4)
known = skep.Bloom(u32, 8)
unused = skep.Hash(u32, u64, 8)

@skep.uprobe()
def anywhere(value: skep.s32):
    if value == -770078:
        at = u32(state.hits)
        jobs.push(at + 1)
        done.push(at + 1)
        kept.push(at + 1)
        task = skep.get_current_task_btf()
        mine = calls.get(task)
        if mine is not None:
            mine[0] += 1
        group = groups.get(task.cgroups.dfl_cgrp)
        if group is not None:
            group[0] += 1
        state.hits += 1
        state.last[2] = 9
        heap.total += 1
        heap.nodes[5].value = at
        waits.increment(3)
        skep.get_stackid(stacks, 0x100)
        pod = pods.lookup(1)
        if pod is not None:
            pod.increment(1)
        known.add(at)
        unused.delete(0)
"""


@contextmanager
def ran(file: Path, source: str, *options: str) -> Iterator[Rows]:
    """The rows that a file's programs give, as JSON, until one is as it is wanted."""
    file.write_text(source)
    command = [sys.executable, "-m", "skep.cli", "run", "--json", *options, str(file)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as one:
        assert one.stdout is not None
        assert one.stderr is not None
        said = one.stderr.readline()
        assert said.startswith("attached"), said + one.stderr.read()
        lines = one.stdout

        def until(wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
            found: Iterator[dict[str, Any]] = map(json.loads, lines)
            return next(row for row in found if wanted(row))

        try:
            yield until
        finally:
            one.send_signal(signal.SIGINT)
        one.communicate()  # it may still have much to show
        assert one.returncode == 130


def test_a_record_is_shown_with_its_tail(tmp_path: Path) -> None:
    with ran(tmp_path / "tails.py", TAILS) as until, subprocess.Popen(["true"]) as child:
        row = until(lambda row: row.get("pid") == child.pid)
        assert (row["kind"], row["tail"]) == ("line", "true")


@pytest.mark.requires("link.uprobe")
def test_samples_of_perf_buffers_are_shown(tmp_path: Path) -> None:
    code = "import ctypes; ctypes.CDLL(None).abs(-770077)"
    with ran(tmp_path / "samples.py", SAMPLES, "--at", "libc:abs") as until:
        child = subprocess.Popen([sys.executable, "-c", code])
        assert child.wait() == 0
        seen: dict[str, dict[str, Any]] = {}
        until(lambda row: bool(seen.setdefault(row["kind"], row)) and len(seen) == 2)
        assert seen["Call"] == {"kind": "Call", "pid": child.pid, "number": 7}
        assert seen["sample"]["data"].startswith("41000000")


def test_a_program_of_a_route_is_attached_to_the_one_that_is_named(
    tmp_path: Path, wire: Wire
) -> None:
    route = f"10.77.0.0/24 dev {wire.device} via {wire.addresses[1]}"
    options = ("--at", route, "--netns", wire.left.path)
    with ran(tmp_path / "route.py", ROUTE, *options) as until:
        with wire.left.entered(), socket.socket(type=socket.SOCK_DGRAM) as sender:
            sender.sendto(bytes(500), ("10.77.0.5", 9))
        assert until(lambda row: row["kind"] == "left")["size"] == 20 + 8 + 500
    assert wire.left.run("ip", "route", "show", "10.77.0.0/24") == ""


ATTACHED = """import skep

each, sent = skep.PerCpuAttachedStorage(skep.u64), skep.AttachedStorage(skep.u64)

@skep.cgroup("skb_egress")
def counts_sent(ctx):
    one, size = each.get(), sent.get()
    one += 1
    size += len(ctx)
    return 1
"""


def test_values_of_where_a_program_is_attached_have_the_path_of_that(
    tmp_path: Path, cgroup: Cgroup
) -> None:
    file = tmp_path / "sent.py"
    file.write_text(ATTACHED)
    options = ("--for", "100ms", "--json", "--cgroup", cgroup.path)
    command = [sys.executable, "-m", "skep.cli", "run", *options, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    shown = {(row["map"], one["key"]) for row in rows for one in row["entries"]}
    name = Path(cgroup.path).name
    assert shown == {("each", f"/{name}"), ("sent", f"/{name}")}, rows


def test_an_iterator_over_cgroups_begins_at_the_one_that_is_named(
    tmp_path: Path, cgroup: Cgroup
) -> None:
    file = tmp_path / "groups.py"
    file.write_text(GROUPS)
    options = ("--for", "100ms", "--cgroup", cgroup.path)
    done = subprocess.run(
        [sys.executable, "-m", "skep.cli", "run", *options, str(file)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "a group\n"


def contents(file: Path) -> dict[str, str]:
    """The maps of CONTENTS after two calls, by name, where pins are the command's own."""
    file.write_text(CONTENTS)
    run = f"exec {sys.executable} -m skep.cli run --at libc:abs --pid {os.getpid()} {file}"
    words = ("unshare", "--mount", "sh", "-c", f"mount -t bpf bpf /sys/fs/bpf && {run}")
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, **pipes) as one:
        assert one.stderr is not None
        said = one.stderr.readline()
        assert said.startswith("attached"), said + one.stderr.read()
        for _ in range(2):
            ctypes.CDLL(None).abs(-770078)
        one.send_signal(signal.SIGINT)
        output, errors = one.communicate()
    assert (one.returncode, errors) == (130, "")
    found = re.findall(r"^(\w+):((?: .*)?\n(?:  .*\n)*)", output, re.MULTILINE)
    return {name: textwrap.dedent(text.removeprefix("\n")) for name, text in found}


@pytest.mark.requires("link.uprobe", "map.arena", "map.cgrp_storage")
def test_what_maps_of_every_kind_hold_is_shown_at_the_end(tmp_path: Path) -> None:
    """The values of a task and a cgroup are those of this process, which is still there, whatever it is called."""
    comm = Path(f"/proc/self/task/{threading.get_native_id()}/comm")
    before = comm.read_bytes()
    comm.write_bytes(b"\xff\x1b[1m")
    found = contents(tmp_path / "contents.py")
    comm.write_bytes(before.rstrip(b"\n"))
    assert found["jobs"] == "1\n2\n"
    assert found["done"] == "2\n1\n"
    assert found["kept"].splitlines() == ["1", run_contents.PINNED]
    assert found["calls"].endswith(rf"\xff\x1b[1m[{threading.get_native_id()}]: 2" + "\n")
    assert found["groups"].endswith(": 2\n")
    assert found["heap"] == "total: 2\nnodes[5]: next=0 value=1\n"
    assert found["state"] == "hits: 2\nlast[2]: 9\n"
    assert found["waits"].startswith("< 16 us 2 ###")
    assert re.match(r"\d+:\n  0x[0-9a-f]+\n", found["stacks"])
    assert found["pods"] == found["unused"] == "nothing\n"
    assert "known" not in found
