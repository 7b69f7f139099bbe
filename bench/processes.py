"""Processes that a bench started: their descendants, memory and CPU time, by /proc."""

import os
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")


def tree(root: int) -> list[int]:
    """``root`` and its descendants that are alive."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields:
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        if (PROC / str(pid)).exists():
            found.append(pid)
            queue += children.get(pid, [])
    return found


def _stat(pid: int) -> list[str]:
    """The fields of stat after the name: state, parent, ..."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, and of its children that ended."""
    fields = _stat(pid)
    return sum(int(value) for value in fields[11:15]) / TICKS if fields else 0.0


def pss_kb(pid: int) -> int:
    """Proportional set size; 0 where the process is gone."""
    try:
        text = (PROC / str(pid) / "smaps_rollup").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), 0)


def pss_without_rings_kb(pid: int) -> int:
    """Proportional set size without the pages of BPF maps, which are the kernel's and are counted there."""
    try:
        text = (PROC / str(pid) / "smaps").read_text()
    except OSError:
        return 0
    total, ring = 0, False
    for line in text.splitlines():
        word = line.split(None, 1)[0]
        if "-" in word and not word.endswith(":"):
            ring = "bpf-map" in line
        elif word == "Pss:" and not ring:
            total += int(line.split()[1])
    return total


def kernel_bytes(pids: list[int]) -> dict[int, int]:
    """The memory of the BPF maps that processes hold, by map id."""
    found: dict[int, int] = {}
    for pid in pids:
        folder = PROC / str(pid) / "fdinfo"
        for entry in list(folder.iterdir()) if folder.exists() else []:
            try:
                lines = dict(
                    line.split(":", 1) for line in entry.read_text().splitlines() if ":" in line
                )
            except OSError:
                continue
            if "map_id" in lines:
                found[int(lines["map_id"])] = int(lines["memlock"])
    return found
