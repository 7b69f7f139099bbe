"""What ``skep run`` shows of the maps of a file: histograms, stacks, names, and what the file keeps to itself."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.native("compiles files of the test's own")

SOURCE = """
import os
import signal
import skep

_stacks = skep.StackTraces(64, 16384)  # where two share a place, one is lost

class Slot(skep.Struct, forms={"stack": skep.Frames(_stacks)}):
    sent: skep.u32
    stack: skep.s32
    slot: skep.u32

class Group(skep.Struct, forms={"at": skep.Frames(_stacks), "of": skep.Frames(_stacks, pid="pid")}):
    pid: skep.u32
    at: skep.s32
    of: skep.s32

OWN = os.getppid()
SYSTEM = skep.kernel_address("do_syscall_64")
by_stack = skep.Hash(Slot, skep.u64, 16, bars=skep.Bars("us"))
groups = skep.Hash(Group, skep.u64, 16)
numbers = skep.Hash(skep.u32, skep.u64, 16, keys=skep.Names(skep.SYSTEM_CALLS))
sizes = skep.PerCpuArray(skep.u64, 16, keys=skep.Names({3: "three"}))
signals = skep.Hash(skep.u32, skep.u64, 16, keys=skep.Names(signal.Signals))
results = skep.Hash(skep.u32, skep.u64, 16, keys=skep.Names(skep.kernel_enum("pid_type")))
places = skep.Hash(skep.u64, skep.u64, 16, keys=skep.Symbol())
_seen = skep.Hash(skep.u32, skep.u64, 16)

@skep.tp_btf("sys_enter")
def on_call(regs, number):
    if number != 62 or regs.si != 12 or skep.u32(skep.get_current_pid_tgid() >> 32) != OWN:
        return
    stack = skep.s32(skep.get_stackid(_stacks, 0))
    user = skep.s32(skep.get_stackid(_stacks, 0x100))
    _seen[1] = 1
    by_stack.increment(Slot(12, stack, skep.log2(5)))
    by_stack.increment(Slot(12, stack, skep.log2(100)), 2)
    groups.increment(Group(OWN, stack, user))
    places.increment(SYSTEM if SYSTEM is not None else 0)
    numbers.increment(skep.u32(number))
    sizes.increment(3, 8)
    signals.increment(12)
    results.increment(1)
"""


def run(tmp_path: Path, *options: str) -> str:
    """What a run shows, during which this process asks for a signal to nobody."""
    file = tmp_path / "counts.py"
    file.write_text(SOURCE)
    command = [sys.executable, "-m", "skep.cli", "run", *options, str(file)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as one:
        assert one.stderr is not None
        said = one.stderr.readline()
        assert said == "attached on_call\n", said + one.stderr.read()
        with pytest.raises(ProcessLookupError):
            os.kill(0x3FFFFFFF, 12)
        one.terminate()
        output, error = one.communicate()
    assert (one.returncode, error) == (130, "")
    return output


def test_maps_are_shown_as_their_keys_say(tmp_path: Path) -> None:
    lines = run(tmp_path).splitlines()
    parts: dict[str, list[str]] = {}
    for line in lines:
        if not line.startswith(" "):
            parts[line] = []
        else:
            parts[next(reversed(parts))].append(line)
    assert "_seen:" not in parts
    assert parts["numbers:"] == ["  kill: 1"]
    assert parts["places:"] == ["  do_syscall_64+0x0: 1"]
    assert parts["signals:"] == ["  SIGUSR2: 1"]
    assert parts["results:"] == ["  PIDTYPE_TGID: 1"]
    assert parts["sizes:"] == ["  three: 8"]
    head, *frames = parts["by_stack:"][:-5]
    assert head == "  sent=12:"
    assert "      do_syscall_64" in frames
    assert parts["by_stack:"][-5:] == [
        f"      < 8 us 1 {'#' * 25}",
        "     < 16 us 0",
        "     < 32 us 0",
        "     < 64 us 0",
        f"    < 128 us 2 {'#' * 50}",
    ]
    head, *both = parts["groups:"]
    assert head == f"  pid={os.getpid()}: 1"
    middle = both.index("      --")
    assert "      do_syscall_64" in both[:middle]
    assert both[middle + 1].strip() in ("kill", "__kill", "libc.so.6")


def test_maps_are_shown_so_as_json(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in run(tmp_path, "--json").splitlines()]
    entries: dict[str, list[dict[str, Any]]] = {row["map"]: row["entries"] for row in rows}
    assert "_seen" not in entries
    assert entries["numbers"] == [{"key": "kill", "value": 1}]
    assert entries["results"] == [{"key": "PIDTYPE_TGID", "value": 1}]
    assert [entry["key"] for entry in entries["sizes"]] == ["three"]
    slots = {entry["key"]["slot"]: entry["value"] for entry in entries["by_stack"]}
    assert slots == {2: 1, 6: 2}
    assert all("do_syscall_64" in entry["key"]["stack"] for entry in entries["by_stack"])


def test_maps_are_shown_each_time_and_each_count_once(tmp_path: Path) -> None:
    file = tmp_path / "counts.py"
    file.write_text(SOURCE)
    words = [sys.executable, "-m", "skep.cli", "run", "--json", "--every", "20ms", str(file)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as one:
        assert one.stderr is not None
        assert one.stdout is not None
        assert one.stderr.readline() == "attached on_call\n"
        rows = (json.loads(line) for line in one.stdout)
        numbers = (row for row in rows if row["map"] == "numbers")
        counted = turns = 0
        for _ in range(50):
            with pytest.raises(ProcessLookupError):
                os.kill(0x3FFFFFFF, 12)
            counted += sum(entry["value"] for entry in next(numbers)["entries"])
        while counted < 50 or turns < 2:  # two turns at least of which nothing is told anew
            row = next(numbers)
            assert row["time"].endswith("Z")
            counted += sum(entry["value"] for entry in row["entries"])
            turns += not row["entries"]
        one.terminate()
        left = [row for row in rows if "time" not in row]
        assert one.wait() == 130
    assert counted == 50
    assert next(row for row in left if row["map"] == "numbers")["entries"] == []


def test_the_time_of_day_stands_above_the_maps_of_a_turn(tmp_path: Path) -> None:
    file = tmp_path / "counts.py"
    file.write_text(SOURCE)
    words = [sys.executable, "-m", "skep.cli", "run", "--every", "5ms", str(file)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as one:
        assert one.stdout is not None
        first, second = one.stdout.readline(), one.stdout.readline()
        one.terminate()
        one.communicate()
    assert re.fullmatch(r"\d\d:\d\d:\d\d\n", first)
    assert second == "by_stack: nothing\n"
