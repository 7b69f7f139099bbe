"""Every hook of the running kernel: attached, hit, and nothing left when the link is closed."""

import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from skep.base.errors import BadInput, Conflict, Unsupported
from skep.btf.reader import Btf
from skep.kernel import commands
from skep.kernel.bpf import DOOR
from skep.kernel.clsact import ClsactLink, Spot, remove_filters
from skep.kernel.links import AnyLink, Link, attach
from skep.kernel.maps import Map
from skep.kernel.namespaces import inside
from skep.kernel.netlink import INGRESS, Netlink
from skep.kernel.probes import probe
from skep.kernel.programs import Program
from skep.lang.spec import MapReference, MapSpec, MapType
from skep.lang.types import u32, u64
from skep.testing.cgroups import Cgroup
from skep.testing.network import Namespace, Wire
from tests.kernel.kernel.samples import COUNT, counting, eventually, program

STATE = MapSpec("skep_probe", MapType.ARRAY, u32, u64, 1, 1 << 10)


class Counted:
    """A program that counts its runs, and the count."""

    def __init__(self, made: Program, state: Map) -> None:
        self.program, self._state = made, state

    @property
    def runs(self) -> int:
        value: int = self._state[0]
        return value


Load = Callable[..., Counted]


@pytest.fixture
def load(btf: Btf) -> Iterator[Load]:
    """Loads programs that count their runs."""
    with ExitStack() as stack:

        def make(
            kind: str,
            target: str = "",
            result: int = 0,
            options: tuple[tuple[str, int | str], ...] = (),
        ) -> Counted:
            state = stack.enter_context(Map.create(STATE))
            references = (MapReference(0, 0, 0),)
            spec = program(
                kind,
                target,
                counting(result),
                references=references,
                maps=(STATE,),
                options=options,
            )
            return Counted(stack.enter_context(Program.load(spec, [state], btf)), state)

        yield make


def hit(counted: Counted, provoke: Callable[[], object], link: AnyLink) -> None:
    """It runs while the link is open, and no more when it is closed."""
    provoke()
    assert eventually(lambda: counted.runs > 0)
    link.close()
    assert eventually(lambda: rests(counted, provoke))


def rests(counted: Counted, provoke: Callable[[], object]) -> bool:
    """Whether it does not run. One may have begun on another CPU before its link was closed, and end later."""
    runs = counted.runs
    provoke()
    return counted.runs == runs


def call() -> None:
    os.getppid()


def switch() -> None:
    time.sleep(0.001)


@pytest.mark.parametrize(
    ("kind", "target", "provoke"),
    [
        ("raw_tp", "sys_enter", call),
        ("tp_btf", "sched_switch", switch),
        ("tracepoint", "sched/sched_switch", switch),
        ("tracepoint", "syscalls/sys_enter_getppid", call),
    ],
)
def test_a_tracing_program_runs_when_the_kernel_gets_there(
    load: Load, kind: str, target: str, provoke: Callable[[], None]
) -> None:
    counted = load(kind, target)
    hit(counted, provoke, attach(counted.program))


def spin() -> None:
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass


def test_sampling_runs_on_every_cpu_that_works(load: Load) -> None:
    counted = load("perf_event", options=(("frequency", 500),))
    hit(counted, spin, attach(counted.program))


def test_sampling_of_a_process_sees_that_process(load: Load) -> None:
    counted = load("perf_event", options=(("event", "task-clock"), ("frequency", 500)))
    hit(counted, spin, attach(counted.program, pid=os.getpid()))


def test_sampling_of_a_process_sees_no_other(load: Load) -> None:
    counted = load("perf_event", options=(("event", "task-clock"), ("frequency", 500)))

    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as sleeper:
        with attach(counted.program, pid=sleeper.pid):
            assert eventually(lambda: rests(counted, spin))  # once the other has come to rest
        sleeper.kill()


def test_an_iterator_runs_once_for_each_object_each_time_it_is_read(load: Load) -> None:
    counted = load("iterator", "task")
    with attach(counted.program) as link:
        assert isinstance(link, Link)
        assert counted.runs == 0
        assert link.read() == b""
        first = counted.runs
        assert first > 1
        link.read()
        assert counted.runs > first


def send(wire: Wire) -> None:
    """A datagram from right to left."""

    def work() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"x", (wire.addresses[0], 9))

    inside(wire.right.path, work)


@pytest.mark.parametrize("mode", ["", "native", "generic"])
def test_xdp_sees_the_packets_of_its_device(load: Load, wire: Wire, mode: str) -> None:
    counted = load("xdp", result=2)
    link = attach(counted.program, wire.device, netns=wire.left.path, mode=mode)
    assert link.remarks == ()
    hit(counted, lambda: send(wire), link)


def test_a_device_without_xdp_in_its_driver_runs_it_in_the_stack_and_says_so(
    load: Load, netns: Namespace
) -> None:
    counted = load("xdp", result=2)
    with attach(counted.program, "lo", netns=netns.path) as link:
        (remark,) = link.remarks
        assert "generic mode" in remark
    with pytest.raises(Unsupported, match=r"EOPNOTSUPP.*generic"):
        attach(counted.program, "lo", netns=netns.path, mode="native")


def test_a_second_xdp_program_is_told_which_one_holds_the_device(load: Load, wire: Wire) -> None:
    first, second = load("xdp", result=2), load("xdp", result=2)
    with attach(first.program, wire.device, netns=wire.left.path):
        number = first.program.info().id
        with pytest.raises(Conflict, match=f"held by XDP program {number}"):
            attach(second.program, wire.device, netns=wire.left.path)
    attach(second.program, wire.device, netns=wire.left.path).close()


def test_a_device_that_is_missing_is_bad_input(load: Load, netns: Namespace) -> None:
    with pytest.raises(BadInput, match="no network device 'absent0'; there are lo"):
        attach(load("xdp").program, "absent0", netns=netns.path)


def test_a_link_takes_another_program_in_its_place(load: Load, wire: Wire) -> None:
    first, second = load("xdp", result=2), load("xdp", result=2)
    with attach(first.program, wire.device, netns=wire.left.path) as link:
        link.update(second.program)
        send(wire)
        assert eventually(lambda: second.runs > 0)


@pytest.mark.parametrize("kind", ["tcx_ingress", "tcx_egress"])
def test_tc_sees_the_packets_of_its_device_also_where_there_is_no_tcx(
    load: Load, btf: Btf, wire: Wire, kind: str
) -> None:
    counted = load(kind, result=-1)
    side = wire.left if kind == "tcx_ingress" else wire.right
    link = attach(counted.program, wire.device, netns=side.path)
    assert isinstance(link, Link) is probe("link.tcx", btf).on
    assert ("clsact" in "".join(link.remarks)) is isinstance(link, ClsactLink)
    hit(counted, lambda: send(wire), link)


@pytest.mark.requires("link.tcx")
def test_tcx_programs_run_in_the_order_that_was_asked_for(load: Load, wire: Wire) -> None:
    names = {}
    for name in ("middle", "first", "second", "last"):
        names[name] = load("tcx_ingress", result=-1)
    index, where = wire.left.index(wire.device), wire.left.path

    def put(name: str, before: "Link | bool" = False) -> Link:  # noqa: FBT002 - as attach has it
        link = attach(names[name].program, wire.device, netns=where, before=before)
        assert isinstance(link, Link)
        return link

    with ExitStack() as stack:
        middle = stack.enter_context(put("middle"))
        stack.enter_context(put("last"))
        stack.enter_context(put("first", before=True))
        stack.enter_context(put("second", before=middle))
        found = inside(where, lambda: commands.prog_query(DOOR, index, 46))
    wanted = [names[name].program.info().id for name in ("first", "second", "middle", "last")]
    assert list(found) == wanted


@pytest.mark.parametrize("kind", ["tcx_ingress", "tcx_egress"])
def test_where_there_is_no_tcx_a_clsact_filter_does_the_same(
    load: Load, wire: Wire, kind: str
) -> None:
    counted = load(kind, result=-1)
    side = wire.left if kind == "tcx_ingress" else wire.right
    spot = Spot(side.index(wire.device), counted.program.spec.kind.attach_type, side.path)
    link = inside(side.path, lambda: ClsactLink.create(counted.program, spot, "probe"))
    assert "no tcx" in link.remarks[0]
    hit(counted, lambda: send(wire), link)
    assert qdiscs(side, spot.ifindex) == ["noqueue"]


def qdiscs(side: Namespace, index: int) -> list[str]:
    def work() -> list[str]:
        with Netlink() as netlink:
            return netlink.qdiscs(index)

    return inside(side.path, work)


def test_clsact_filters_stand_in_order_and_spare_those_of_others(load: Load, wire: Wire) -> None:
    first, last = load("tcx_ingress", result=-1), load("tcx_ingress", result=-1)
    index, where = wire.left.index(wire.device), wire.left.path

    def work() -> None:
        with Netlink() as netlink:
            netlink.add_clsact(index)
            netlink.add_filter(index, INGRESS, 500, last.program.fd, "of another tool")
            spot = Spot(index, 46, where, first=True)
            with ClsactLink.create(first.program, spot, "first"):
                found = [(f.name, f.program_id) for f in netlink.filters(index, INGRESS)]
                assert found == [
                    ("skep/skep_probe", first.program.info().id),
                    ("of another tool", last.program.info().id),
                ]
            assert [f.name for f in netlink.filters(index, INGRESS)] == ["of another tool"]
            ClsactLink.create(first.program, spot, "left by a kill")
            assert remove_filters(lambda _: True) == 1
            assert [f.name for f in netlink.filters(index, INGRESS)] == ["of another tool"]
            netlink.delete_clsact(index)

    inside(where, work)


CONNECT = "import socket; socket.create_connection(('127.0.0.1', 1), 1)"


def test_a_cgroup_program_sees_and_refuses_its_cgroup_alone(load: Load, cgroup: Cgroup) -> None:
    counted = load("cgroup_connect4", result=0)
    link = attach(counted.program, cgroup.path)
    done = cgroup.run(sys.executable, "-c", CONNECT)
    assert "PermissionError" in done.stderr
    runs = counted.runs
    assert runs > 0
    outside = subprocess.run(
        [sys.executable, "-c", CONNECT], capture_output=True, text=True, check=False
    )
    assert "ConnectionRefusedError" in outside.stderr
    assert counted.runs == runs
    link.close()
    assert "ConnectionRefusedError" in cgroup.run(sys.executable, "-c", CONNECT).stderr


def test_packets_of_a_cgroup_are_seen(load: Load, cgroup: Cgroup) -> None:
    counted = load("cgroup_skb_egress", result=1)
    with attach(counted.program, cgroup.path):
        cgroup.run(sys.executable, "-c", CONNECT)
        assert counted.runs > 0


def test_a_detached_link_is_still_an_object(load: Load, cgroup: Cgroup) -> None:
    counted = load("cgroup_connect4", result=0)
    with attach(counted.program, cgroup.path) as link:
        assert isinstance(link, Link)
        link.detach()
        assert "ConnectionRefusedError" in cgroup.run(sys.executable, "-c", CONNECT).stderr
        assert link.info().program_id == counted.program.info().id


def test_a_pinned_link_outlives_its_descriptor_and_is_found_again(load: Load, bpffs: str) -> None:
    counted = load("raw_tp", "sys_enter")
    path = f"{bpffs}/skep_probe"
    with attach(counted.program) as link:
        link.pin(path)
    before = counted.runs
    os.getppid()
    assert counted.runs > before
    with Link.pinned(path) as again:
        assert again.info().program_id == counted.program.info().id
        os.unlink(path)
    # The file's hold on it ends after a grace period.
    assert eventually(lambda: rests(counted, call))


def test_the_calling_thread_stays_in_its_namespace(load: Load, wire: Wire) -> None:
    before = os.stat("/proc/thread-self/ns/net").st_ino
    with attach(load("xdp", result=2).program, wire.device, netns=wire.left.path):
        assert os.stat("/proc/thread-self/ns/net").st_ino == before
    assert wire.left.index(wire.device) > 0


def test_the_end_of_a_process_detaches_what_it_attached() -> None:
    script = """
import os, sys
from skep.kernel.links import attach
from skep.kernel.programs import Program
from tests.kernel.kernel.samples import program
made = Program.load(program("raw_tp", "sys_enter"), [])
link = attach(made)
print(link.info().id, flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        number = int(child.stdout.readline())
        os.close(commands.by_id(DOOR, commands.Command.LINK_BY_ID, number))
        child.kill()
        child.wait()
        child.stdout.read()

    def gone() -> bool:
        try:
            os.close(commands.by_id(DOOR, commands.Command.LINK_BY_ID, number))
        except OSError:
            return True
        return False

    assert eventually(gone)


def test_counting_is_what_the_tests_think() -> None:
    assert struct.unpack_from("<BBhi", COUNT, 24)[0] == 0xDB
