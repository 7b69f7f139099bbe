"""What the cases of ``corpus`` find around them: a fake kernel, its objects, files, and a machine that fails on demand.

Our own code stays as it is: what is replaced for the time of a case is the machine, that is functions of ``os`` and
``open``, and the kernel behind its door.
"""

import builtins
import errno
import mmap
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import numpy as np

import skep
from skep.btf.reader import Btf
from skep.btf.types import Kind, Member, Param
from skep.btf.writer import Builder
from skep.cli.agent_process import AgentProcess
from skep.cli.ending import Ending
from skep.kernel.classes import class_of
from skep.kernel.commands import Command
from skep.kernel.handle import Handle
from skep.kernel.links import attach
from skep.kernel.perf import SOURCES
from skep.kernel.programs import Program
from skep.kernel.refusal import refusal
from skep.lang.spec import MapSpec, MapType
from skep.lang.struct import Struct
from skep.lang.types import char, s32, u8, u16, u32, u64
from skep.testing.door import FakeDoor
from skep.testing.fake_maps import FakeMap
from tests.golden.cases import unmarked
from tests.unit.kernel import elves, samples

FUNCTIONS = "do_exit\ndo_sys_openat2\ntcp_connect\n"
FORMAT = "\tfield:int pid;\toffset:8;\tsize:4;\tsigned:1;\n"


class Door(FakeDoor):
    """The fake kernel with a tracefs, perf events that can be refused, and memory behind every map."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.tracefs: Path | OSError = folder / "tracefs"
        self.no_event = 0
        """The errno that perf_event_open answers; 0: it gives one."""
        for number, name in enumerate(("sched/sched_switch", "raw_syscalls/sys_enter"), 300):
            event = folder / "tracefs" / "events" / name
            event.mkdir(parents=True)
            (event / "format").write_text(FORMAT)
            (event / "id").write_text(f"{number}\n")
        (folder / "tracefs" / "available_filter_functions").write_text(FUNCTIONS)

    def mount_detached(self, kind: str) -> int:
        """See FakeDoor."""
        if isinstance(self.tracefs, OSError):
            raise self.tracefs
        if kind != "tracefs":
            return super().mount_detached(kind)
        return os.open(self.tracefs, os.O_RDONLY | os.O_DIRECTORY)

    def perf_event_open(self, attr: bytes, pid: int, cpu: int) -> int:
        """See FakeDoor."""
        if self.no_event:
            raise OSError(self.no_event, os.strerror(self.no_event))
        return super().perf_event_open(attr, pid, cpu)

    def map_memory(self, fd: int, length: int, offset: int, *, writable: bool) -> mmap.mmap:
        """See FakeDoor."""
        found = self.objects.at(fd)
        if not isinstance(found, FakeMap) or found.file >= 0:
            return super().map_memory(fd, length, offset, writable=writable)
        return mmap.mmap(-1, length)

    def close(self, fd: int) -> None:
        """See FakeDoor."""
        if fd in self.open:
            super().close(fd)
        else:
            os.close(fd)


class Pair(Struct):
    """A key or value of two fields."""

    first: u32
    second: u16


class Stage:
    """What one case finds; leaving it puts the machine back."""

    def __init__(self, folder: Path) -> None:
        self._stack = ExitStack()
        self.door = Door(folder)
        self._sources = folder / "sources"

    def names(self) -> dict[str, Any]:
        """The names of a case."""
        given = (Btf, Builder, Command, Kind, MapSpec, MapType, Member, Pair, Param, Path, Program)
        types = (char, s32, u8, u16, u32, u64)
        functions = (
            self.agent,
            self.btf,
            self.made,
            self.loaded,
            self.instead,
            self.failing,
            self.refused,
        )
        return {
            **{one.__name__: one for one in (*given, *types, *functions, attach)},
            **{name: getattr(samples, name) for name in ("HASH", "RETURN", "insn", "program")},
            **{name: getattr(elves, name) for name in ("BASE", "Function", "elf", "note")},
            "door": self.door,
            "errno": errno,
            "np": np,
            "os": os,
            "skep": skep,
            "builtins": builtins,
        }

    def btf(self) -> Btf:
        """Types of a kernel: a tracepoint, an iterator, a table of functions."""
        make = Builder()
        number, letter = make.integer("int", 4, signed=True), make.integer("char", 1, char=True)
        function = make.prototype(number, [Param("", 0)])
        make.typedef("btf_trace_sched_switch", make.ptr(function))
        for what in ("task", "cgroup", "bpf_map_elem"):
            make.func(f"bpf_iter_{what}", function)
        rows = [("run", make.ptr(function), 0), ("flags", number, 64)]
        rows.append(("name", make.array(letter, number, 16), 96))
        ops = make.struct("my_ops", 32, [Member(*row) for row in rows])
        make.struct("bpf_struct_ops_my_ops", 96, [Member("data", ops, 8 * 64)])
        make.struct("bpf_struct_ops_empty", 8, [Member("other", number, 0)])
        return Btf(make.build())

    def made(self, kind: MapType, key: Any, value: Any, entries: int = 4, **more: Any) -> Handle:  # noqa: ANN401 - types of the language
        """A live map named m, of the class that maps of its type have."""
        live = class_of(kind).create(
            MapSpec("m", kind, key, value, entries, **more), door=self.door
        )
        self._stack.callback(live.close)
        return live

    def loaded(self, kind: str, target: str = "", **options: int | str) -> Program:
        """A loaded program named probe."""
        spec = samples.program(kind, target, options=tuple(options.items()))
        return Program.load(spec, [], self.btf(), door=self.door)

    def refused(self, code: int, call: str, subject: str = "", **more: Any) -> None:  # noqa: ANN401 - as refusal
        """Raise what a refusal of the kernel becomes."""
        raise refusal(OSError(code, os.strerror(code)), call, subject, door=self.door, **more)

    def agent(self, script: str, said: bytes = b"") -> bool:
        """Wait for an agent that says something, and is a script of the shell."""
        agent = object.__new__(AgentProcess)
        agent._socket, other = socket.socketpair()
        with Ending() as ending, agent._socket, subprocess.Popen(["sh", "-c", script]) as process:
            agent._process = process
            with other:
                other.send(said)
            return agent.wait_ready(print, ending)

    def instead(self, where: Any, name: str, value: Any) -> None:  # noqa: ANN401 - of the machine
        """Let the machine have another function for the time of the case."""
        before = getattr(where, name)
        self._stack.callback(setattr, where, name, before)
        setattr(where, name, value)

    def failing(self, where: Any, name: str, code: int, only: str = "") -> None:  # noqa: ANN401 - as above
        """Let a function of the machine fail where its first argument begins with ``only``."""
        before: Callable[..., Any] = getattr(where, name)

        def fail(*args: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever it takes
            if str(args[0]).startswith(only):
                raise OSError(code, os.strerror(code), args[0])
            return before(*args, **named)

        self.instead(where, name, fail)

    def __enter__(self) -> Self:
        self.instead(os, "access", lambda path, _: os.path.exists(path) and "sys" not in str(path))
        for source, number in (("kprobe", 8), ("uprobe", 9)):
            (self._sources / source / "format").mkdir(parents=True)
            (self._sources / source / "type").write_text(f"{number}\n")
            (self._sources / source / "format" / "retprobe").write_text("config:0\n")
            (self._sources / source / "format" / "ref_ctr_offset").write_text("config:32-63\n")
        opened: Callable[..., Any] = builtins.open

        def redirected(file: Any, *args: Any, **named: Any) -> Any:  # noqa: ANN401 - as open
            name = str(file)
            return opened(
                name.replace(SOURCES, str(self._sources)) if SOURCES in name else file,
                *args,
                **named,
            )

        self.instead(builtins, "open", redirected)
        self.instead(sys, "path", list(sys.path))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        for name in [one for one in sys.modules if one.startswith("__skep_")]:
            del sys.modules[name]


def everywhere(text: str, folder: str) -> str:
    """A text as it is on every machine and for every user: without its devices, folders and ids."""
    devices = ", ".join(name for _, name in socket.if_nameindex())
    text = re.sub(
        r"a list of \d+ values, one for each CPU", "a list of 4 values, one for each CPU", text
    )
    text = unmarked(text).replace(f"is held by user {os.getuid()};", "is held by user 0;")
    return text.replace(f"there are {devices}", "there are lo, eth0").replace(folder, "/case")
