"""fentry, fexit, fmod_ret, LSM and freplace: attached, they see and decide; closed, nothing of them is left."""

import os
import socket
import sys
from pathlib import Path

import pytest

import skep
from skep.base.errors import KernelError
from skep.kernel.bpf import DOOR
from skep.kernel.targets import Target, target
from skep.kernel.vmlinux import vmlinux
from skep.lang.programs import Program
from skep.program.live import Live
from skep.testing.cgroups import Cgroup
from skep.testing.network import Wire
from skep.testing.programs import until
from tests.kernel.kinds.programs import functions, renamed

PROGRAMS = list(renamed.all_of(functions))
SECONDS = 60.0
TRACING_LINK = 2  # of enum bpf_link_type
HEADERS = 14 + 20 + 8  # Ethernet, IPv4, UDP
BIND = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as one:
    try:
        one.bind(("127.0.0.1", 0))
    except PermissionError:
        sys.exit(7)
"""


def watch(*programs: Program) -> Live:
    """The programs, acting for this process."""
    live = skep.load(*programs)
    live[functions.mine][os.getpid()] = 1
    return live


@pytest.mark.requires("prog.fentry")
def test_a_function_is_seen_where_it_begins_with_its_arguments(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with watch(functions.on_unlink.here) as live:
        path.unlink()
        (seen,) = live[functions.calls].poll(SECONDS)
        assert seen.name == str(path)[:95]  # type: ignore[attr-defined]
        assert seen.number == (1 << 64) - 100  # type: ignore[attr-defined] # AT_FDCWD


@pytest.mark.requires("prog.fexit")
def test_a_function_is_seen_where_it_ends_with_its_result(tmp_path: Path) -> None:
    with watch(functions.after_unlink.here, functions.after_unlink_alone.here) as live:
        with pytest.raises(FileNotFoundError):
            os.unlink(tmp_path / "none")
        (seen,) = live[functions.calls].poll(SECONDS)
        assert (seen.number, seen.result) == (7, -2)  # type: ignore[attr-defined]
        assert live[functions.counts][0] == 0
        (tmp_path / "file").touch()
        (tmp_path / "file").unlink()
        assert live[functions.counts][0] == 1


@pytest.mark.requires("prog.fentry", "prog.fexit")
def test_a_function_of_a_module_is_seen_where_it_begins_and_ends(wire: Wire) -> None:
    with skep.load(functions.on_veth, functions.after_veth) as live, wire.left.entered():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(3):
                sender.sendto(bytes(1234 - HEADERS), (wire.addresses[1], 9))
        # What waits for the address of its neighbour leaves later.
        until(lambda: live[functions.counts][6] >= 3, seconds=SECONDS)
        assert live[functions.counts][6] == 3
        wire.left.run("ip", "-s", "link", "show", "dev", wire.device)
        assert live[functions.counts][7] == socket.if_nametoindex(wire.device)
        live.programs["on_veth"].verify_again(1, bytearray(1 << 16))
        (link,) = live.links["on_veth"]
        shown = target(DOOR, link.fd, TRACING_LINK, vmlinux())
        assert shown == Target("function", "veth:veth_xmit")


@pytest.mark.requires("prog.fmod_ret")
def test_a_result_is_given_instead_of_running_the_function(tmp_path: Path) -> None:
    with watch(functions.refuses_mkdir) as live:
        with pytest.raises(PermissionError):
            os.mkdir(tmp_path / "one")
        del live[functions.mine][os.getpid()]
        os.mkdir(tmp_path / "two")
    os.mkdir(tmp_path / "one")


@pytest.mark.requires("prog.lsm")
def test_a_security_hook_refuses(tmp_path: Path) -> None:
    with watch(functions.guards_mkdir), pytest.raises(PermissionError):
        os.mkdir(tmp_path / "one")
    os.mkdir(tmp_path / "one")


@pytest.mark.requires("prog.lsm")
def test_a_security_hook_knows_the_path_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with watch(functions.names_files) as live:
        path.touch()
        seen = {e.name: e.result for e in live[functions.calls].poll(SECONDS)}  # type: ignore[attr-defined]
        assert seen[str(path)] == len(str(path)) + 1


@pytest.mark.requires("prog.lsm")
def test_a_sleepable_program_waits_for_memory(tmp_path: Path) -> None:
    with watch(functions.reads_user_memory) as live:
        (tmp_path / "file").touch()
        assert live[functions.counts][1] > 0


@pytest.mark.requires("prog.fentry", "prog.fexit", "kfunc.bpf_iter_num_new")  # as of 6.3
def test_a_program_on_a_function_waits_for_memory_where_the_kernel_lets_it() -> None:
    with watch(functions.waits_at_the_begin, functions.waits_at_the_end) as live:
        live.programs["waits_at_the_begin"].test_run(b"")
        assert [live[functions.counts][i] for i in (3, 4)] == [1, 1]
    with pytest.raises(skep.VerifierError, match="unlinkat is not sleepable"):
        skep.load(functions.waits_where_none_may.here)


@pytest.mark.requires("prog.fmod_ret", "prog.fentry", "kfunc.bpf_iter_num_new")
def test_a_program_that_decides_for_a_function_may_wait() -> None:
    with watch(functions.waits_and_decides, functions.waits_at_the_begin) as live:
        with pytest.raises(KernelError, match="EFAULT"):  # the kernel misses its own result
            live.programs["waits_at_the_begin"].test_run(b"")
        assert live[functions.counts][5] == 1


@pytest.mark.requires("prog.lsm_cgroup")
def test_a_security_hook_of_a_cgroup_refuses_its_processes_only(cgroup: Cgroup) -> None:
    with skep.load(functions.refuses_bind) as live:
        live.attach(functions.refuses_bind, cgroup.path)
        assert cgroup.run(sys.executable, "-c", BIND).returncode == 7
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
        assert live[functions.counts][2] == 1


@pytest.mark.requires("prog.fexit")
def test_a_program_is_seen_where_it_begins_and_ends() -> None:
    with skep.load(functions.passes, functions.sees_it_begin, functions.sees_it_end) as live:
        live.programs["passes"].test_run(bytes(68))
        live.programs["passes"].test_run(bytes(67))
        assert [live[functions.counts][i] for i in (3, 4)] == [1, 1]


@pytest.mark.requires("prog.ext")
def test_a_function_of_a_program_is_replaced_until_that_is_closed() -> None:
    with skep.load(functions.asks, functions.drops_long) as live:
        target = live.programs["asks"]
        given = (bytes(64), bytes(65), b"\x07" + bytes(64))
        assert [target.test_run(packet).retval for packet in given] == [102, 101, 103]
        assert live[functions.counts][5] == 3
        for link in live.links["drops_long"]:
            link.close()
        assert [target.test_run(packet).retval for packet in given] == [2, 2, 2]


@pytest.mark.requires("prog.ext")
def test_a_program_stands_in_for_another_until_it_is_closed() -> None:
    with skep.load(functions.passes) as live:
        target = live.programs["passes"]
        assert target.test_run(bytes(64)).retval == 2
    with skep.load(functions.drops_instead, functions.passes) as live:  # in any order
        target = live.programs["passes"]
        assert target.test_run(bytes(68)).retval == 1
        assert target.test_run(bytes(64)).retval == 2
        for link in live.links["drops_instead"]:
            link.close()
        assert target.test_run(bytes(68)).retval == 2
