"""What programs print arrives, and is what plain Python prints."""

import errno
import time
from pathlib import Path

import pytest

import skep
from skep.kernel.printed import Printed
from tests.kernel.lang.both import packets
from tests.kernel.lang.prints import programs
from tests.kernel.lang.prints.programs import TAG

GONE = 1 << 30
"""A pid that no process has."""


def test_a_program_prints_the_same_in_the_kernel_and_as_plain_python(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for data in packets(4, 3):
        with skep.load(programs.prints, attach=False) as live, Printed(live.prints) as printed:
            live.programs["prints"].test_run(data)
            lines = [line.text for line in printed.poll(5)]
        programs.prints.py(data)
        assert lines == capsys.readouterr().out.splitlines()
        assert len(lines) == 7


def test_of_all_that_is_printed_a_reader_gives_the_lines_of_its_formats() -> None:
    with skep.load(programs.prints, attach=False) as live:
        one = next(text for text in live.prints if "hello" not in text and "plain" in text)
        with Printed([one]) as some, Printed([]) as none, Printed() as every:
            live.programs["prints"].test_run(next(iter(packets(4, 1))))
            ours = [line for line in every.poll(5) if line.text.startswith(TAG)]
            assert [line.text for line in some.poll(5)] == [ours[0].text]
            assert none.poll() == []
    assert [line.time for line in ours] == sorted(line.time for line in ours)
    assert abs(ours[0].time - time.clock_gettime_ns(time.CLOCK_BOOTTIME)) < 60 * 10**9
    assert len(ours) == 7


def test_what_a_killed_reader_left_is_removed_by_the_next() -> None:
    with Printed() as printed:
        left = Path(printed._folder).with_name(f"skep.{GONE}.0")
        left.mkdir()
        with Printed():
            assert not left.exists()


def test_a_reader_leaves_nothing_behind() -> None:
    with Printed() as printed:
        folder = Path(printed._folder)
        assert folder.exists()
    assert not folder.exists()


@pytest.mark.requires("run.streams")
def test_a_program_prints_into_streams_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """What print gives says whether the kernel had room: a line is there where it gave 0, and only there."""
    kernel = skep.FakeKernel(task=skep.Task(comm=Path("/proc/self/comm").read_text().strip()))
    with skep.load(programs.tells, attach=False) as live:
        told = live.programs["tells"]
        assert (told.stdout(), told.stderr()) == ("", "")
        for size in (20, 300):
            told.test_run(bytes(size))
            programs.tells.py(bytes(size), kernel=kernel)
            given = [live[programs.results][at] for at in range(3)]
            assert set(given) <= {0, -errno.ENOMEM}
            plain = capsys.readouterr()
            lines = (*plain.out.splitlines(keepends=True), plain.err)
            kept = [line if code == 0 else "" for line, code in zip(lines, given, strict=True)]
            assert (told.stdout(), told.stderr()) == ("".join(kept[:2]), kept[2])
            assert (told.stdout(), told.stderr()) == ("", "")
            assert lines[1] == f"{size} bytes, 0x{size:x}, {size:<5}|{size:>5}| 4 {size}\n"
