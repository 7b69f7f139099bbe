"""Probes of binaries and of the kernel: hit with the right arguments, and no more once they are closed."""

import ctypes  # noqa: TID251 - functions of a library are called, as any program would
import gc
import inspect
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import skep
from skep.kernel.binaries import Binary
from skep.kernel.libraries import find
from skep.kernel.probes import probe
from skep.kernel.vmlinux import vmlinux
from skep.lang.programs import Program
from skep.program.live import Live
from tests.kernel.kinds.programs import probes, renamed

PROGRAMS = list(renamed.all_of(probes))
SECONDS = 60.0
LIBC = ctypes.CDLL(None)
PYTHON = "/usr/bin/python3.11"


def watch(*programs: Program, attach: bool = True) -> Live:
    """The programs, looking at this process."""
    live = skep.load(*programs, attach=attach)
    live[probes.mine][os.getpid()] = 1
    return live


@pytest.mark.requires("link.uprobe")
def test_a_function_of_a_library_is_seen_with_its_text() -> None:
    with watch(probes.on_lookup) as live:
        LIBC.getservbyname(b"skep-none", b"tcp")
        (seen,) = live[probes.calls].poll(SECONDS)
        assert (seen.name, seen.cookie) == ("skep-none", 0)  # type: ignore[attr-defined]


@pytest.mark.requires("link.uprobe")
def test_a_cookie_tells_which_place_it_was() -> None:
    with watch(probes.on_lookup, attach=False) as live:
        live.attach(probes.on_lookup, "libc:getservbyname", cookie=9)
        LIBC.getservbyname(b"x", b"tcp")
        (seen,) = live[probes.calls].poll(SECONDS)
        assert seen.cookie == 9  # type: ignore[attr-defined]


@pytest.mark.requires("link.uprobe")
def test_numbers_come_as_annotated_and_the_result_where_a_function_ends() -> None:
    with watch(probes.on_abs, probes.after_abs, probes.waits, probes.at_an_offset) as live:
        assert LIBC.abs(-77) == 77
        assert [live[probes.counts][i] for i in (0, 1, 3, 13)] == [1, 1, 1, 1]
        for link in (link for links in live.links.values() for link in links):
            link.close()
        LIBC.abs(-77)
        assert live[probes.counts][0] == 1


@pytest.mark.requires("link.uprobe")
def test_a_struct_is_read_where_an_argument_points_at_it() -> None:
    with watch(probes.on_mac) as live:
        LIBC.ether_ntoa(bytes(range(7, 13)))
        assert live[probes.counts][14] == 12


@pytest.mark.native("the hook of all system calls is known on x86-64 only")
def test_an_argument_of_the_kernel_is_seen_as_the_struct_that_it_is_annotated_with() -> None:
    with watch(probes.on_any_call) as live:
        os.getppid()
        assert live[probes.counts][15] > 0


@pytest.mark.requires("link.uprobe")
def test_a_place_may_be_an_offset_in_the_file_and_one_process() -> None:
    with Binary.open(find("libc")) as binary:
        offset = binary.place("abs")
    with watch(probes.anywhere) as live:
        assert live.links == {}
        link = live.attach(probes.anywhere, f"libc:+{offset:#x}", pid=os.getpid())
        LIBC.abs(1)
        assert live[probes.counts][2] == 1
        link.close()
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as other:
            live.attach(probes.anywhere, "libc:abs", pid=other.pid)
            LIBC.abs(1)
            other.kill()
        assert live[probes.counts][2] == 1


@pytest.mark.requires("link.uprobe")
def test_many_functions_of_a_library_are_probed_at_once_or_one_by_one() -> None:
    with watch(probes.on_many, probes.after_many) as live:
        LIBC.abs(-77)
        LIBC.labs(-77)
        assert live[probes.counts][4] == 2
        assert live[probes.counts][5] == 2
        (link,) = live.links["on_many"]
        assert "single probes" in "".join(link.remarks) or probe("link.uprobe_multi", vmlinux()).on


@pytest.mark.requires("link.uprobe_session")
def test_a_session_sees_both_ends_of_a_call() -> None:
    with watch(probes.around) as live:
        LIBC.abs(-77)
        assert live[probes.counts][6] == 2


Collecting = tuple[int, Callable[[], object]]


@pytest.fixture
def collecting() -> Iterator[Collecting]:
    """A process of Debian's Python, and what makes it find rubbish: this one, or a child of another build."""
    if os.path.realpath(sys.executable) == PYTHON:
        yield os.getpid(), collect
        return
    loop = "while sys.stdin.readline():\n    collect()\n    print(flush=True)"
    program = f"import sys, gc\n{inspect.getsource(collect)}\n{loop}"
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([PYTHON, "-c", program], **pipes) as child:

        def collects() -> None:
            assert child.stdin
            assert child.stdout
            child.stdin.write("\n")
            child.stdin.flush()
            child.stdout.readline()

        collects()
        yield child.pid, collects
        child.communicate()


def collect() -> None:
    """Rubbish is made, and collected."""
    x: list[object] = []
    x.append(x)
    del x
    gc.collect(1)


@pytest.mark.requires("link.uprobe")
@pytest.mark.skipif(not Path(PYTHON).exists(), reason="Debian's Python has the static probes")
def test_a_static_probe_gives_its_arguments_where_it_is_switched_on(collecting: Collecting) -> None:
    """The probes of Debian's Python are behind semaphores: without one that is counted up nothing is told."""
    pid, collects = collecting
    with skep.load(probes.on_collection, probes.after_collection) as live:
        live[probes.mine][pid] = 1
        collects()
        seen = list(live[probes.calls].poll(SECONDS))
        told = [(e.number, e.result) for e in seen]  # type: ignore[attr-defined]
        begun = told.index((1, 0))  # of the younger generations, other collections come before
        assert told[begun + 1][0] == -1
        assert told[begun + 1][1] > 0
        for link in (link for links in live.links.values() for link in links):
            link.close()
        collects()
        assert not list(live[probes.calls].poll())


@pytest.mark.requires("link.kprobe")
def test_a_function_of_the_kernel_is_seen_with_typed_arguments(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with watch(probes.on_unlink.here, probes.registers.here) as live:
        path.touch()
        path.unlink()
        (seen,) = live[probes.calls].poll(SECONDS)
        assert (seen.name, seen.number) == (str(path)[:63], -100)  # type: ignore[attr-defined]
        assert live[probes.counts][7] == 1


@pytest.mark.requires("link.kprobe")
def test_an_argument_is_seen_as_the_struct_that_it_is_annotated_with(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with watch(probes.on_unlink_as.here) as live:
        path.touch()
        path.unlink()
        (seen,) = live[probes.calls].poll(SECONDS)
        assert seen.name == str(path)[:63]  # type: ignore[attr-defined]


@pytest.mark.requires("link.kprobe")
def test_a_function_of_the_kernel_is_seen_behind_its_begin(tmp_path: Path) -> None:
    """Which of the two places is one of an instruction depends on how the kernel was built."""
    hits, refused = 0, []
    for program in (probes.behind_the_call.here, probes.behind_the_mark.here):
        (tmp_path / "file").touch()
        try:
            with watch(program) as live:
                (tmp_path / "file").unlink()
                assert live[probes.counts][14] == 1
                hits += 1
        except skep.SkepError as error:
            refused.append(str(error))
    assert hits
    assert all("no instruction begins there" in text for text in refused)


@pytest.mark.requires("link.kprobe")
def test_a_function_of_the_kernel_is_seen_where_it_ends(tmp_path: Path) -> None:
    with watch(probes.after_unlink.here) as live:
        with pytest.raises(FileNotFoundError):
            os.unlink(tmp_path / "none")
        (seen,) = live[probes.calls].poll(SECONDS)
        assert seen.result == -2  # type: ignore[attr-defined]


@pytest.mark.requires("link.kprobe")
def test_a_system_call_is_seen_with_the_arguments_of_the_process(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    (tmp_path / "name").mkdir()
    with watch(probes.on_call, probes.after_call) as live:
        os.rmdir("name", dir_fd=folder)
        with pytest.raises(FileNotFoundError):
            os.unlink("none", dir_fd=folder)
        seen = [(e.name, e.number, e.result) for e in live[probes.calls].poll(SECONDS)]  # type: ignore[attr-defined]
        assert seen == [("name", folder, 0x200), ("none", folder, 0)]
        assert live[probes.counts][12] == 1
    os.close(folder)


@pytest.mark.requires("link.kprobe")
def test_a_function_that_the_kernel_does_not_have_is_told() -> None:
    told = "vfs_unlink_none: the kernel has no function of that name .* did you mean 'vfs_unlink'"
    with pytest.raises(skep.SkepError, match=told):
        skep.load(probes.on_nothing)


@pytest.mark.requires("link.kprobe")
def test_the_one_of_several_functions_that_the_kernel_does_not_have_is_told() -> None:
    told = "vfs_unlinc: the kernel has no function of that name .* did you mean 'vfs_unlink'"
    with pytest.raises(skep.SkepError, match=told):
        skep.load(probes.on_one_that_is_misspelt)


@pytest.mark.requires("link.kprobe")
def test_many_functions_of_the_kernel_are_probed_at_once(tmp_path: Path) -> None:
    wanted = (probes.on_removals.here, probes.on_patterns, probes.after_removals.here)
    with watch(*wanted) as live:
        live.attach(probes.on_removals.here, cookie=5)
        (tmp_path / "file").touch()
        (tmp_path / "file").unlink()
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder").rmdir()
        seen = [(e.name, e.cookie) for e in live[probes.calls].poll(SECONDS)]  # type: ignore[attr-defined]
        names = [str(tmp_path / "file")[:63], str(tmp_path / "folder")[:63]]
        assert sorted(seen) == sorted((name, cookie) for name in names for cookie in (0, 5))
        assert live[probes.counts][8] >= 2  # a file system on top of another removes in both
        assert live[probes.counts][9] == 2
        said = "".join(link.remarks[0] for link in live.links["on_removals"] if link.remarks)
        assert said.count("2 single probes") == (
            0 if probe("link.kprobe_multi", vmlinux()).on else 2
        )


@pytest.mark.requires("link.kprobe_session")
def test_a_session_sees_both_ends_of_a_function(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with watch(probes.around_unlink.here) as live:
        (tmp_path / "file").unlink()
        assert live[probes.counts][10] == 2


def test_a_binary_or_a_function_that_is_not_there_is_named() -> None:
    with watch(probes.anywhere) as live:
        for place, said in (
            ("libc:mallox", "did you mean 'malloc'"),
            ("libskepnone:f", "no program and no library"),
            ("libc:memcpy", "IFUNC"),
            ("nothing", "is no place in a binary"),
            ("/etc/passwd:f", "no 64-bit"),
        ):
            with pytest.raises(skep.SkepError, match=said):
                live.attach(probes.anywhere, place)


@pytest.mark.requires("prog.tp_btf", "helper.probe_write_user")
def test_the_memory_of_a_process_is_written() -> None:
    room = (ctypes.c_uint64 * 3)(1, 2, 3)
    with skep.load(probes.writes) as live:
        live[probes.places][os.getpid()] = ctypes.addressof(room) + 8
        os.getppid()
    assert list(room) == [1, probes.WRITTEN, 3]
