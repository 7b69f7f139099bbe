"""Screens of the command line, at fixed widths and without a clock.

``python -m tests.golden.cli.screens`` writes them.
"""

import json
from collections.abc import Callable, Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner

from skep.agent.instance import Cleared
from skep.base import exits
from skep.base.errors import SkepError
from skep.base.paths import instance_paths
from skep.cli import down_command, features_command, run_maps, screens
from skep.cli.commands import COMMANDS
from skep.cli.down_command import Taken
from skep.cli.event_text import EventText
from skep.cli.outcome import skep
from skep.cli.run_contents import FULL, PINNED, UNLISTED, Content
from skep.cli.terminal import Terminal
from skep.events.shown import shown
from skep.kernel.probes import Probe, State
from skep.lang.forms import Frames
from skep.lang.maps import Bars
from skep.lang.struct import Struct
from skep.lang.types import char, u32, u64
from tests.golden.cases import unmarked

FOLDER = Path(__file__).parent
NOWHERE = "--instance=golden-nobody"
WRONG = ("unknown-key.yaml", "wrong-value.yaml", "twice.yaml", "no.yaml")
PROBES = (
    Probe("prog.xdp", State.ON, since="4.8"),
    Probe(
        "prog.tracing_fentry", State.REFUSED, 1, "a policy of this host refuses it", "5.5", "tp_btf"
    ),
    Probe(
        "link.tcx",
        State.ABSENT,
        22,
        "the kernel does not take these arguments [EINVAL]",
        "6.6",
        "clsact",
    ),
)


def run(*words: str) -> str:
    """What a command line prints, and its exit code; 80 columns wide."""
    result = CliRunner().invoke(skep, words, prog_name="skep", terminal_width=80)
    text, code = result.output, result.exit_code
    error = result.exception
    if isinstance(error, SkepError):
        text, code = f"{text}skep: {error}\n", exits.code(error)
    elif error is not None and not isinstance(error, SystemExit | click.ClickException):
        raise error
    return f"$ skep {' '.join(words)}\n{text}exit code {code}\n"


def helps() -> str:
    """Help of everything."""
    return "\n".join([run("--help"), *(run(name, "--help") for name in COMMANDS)])


def errors() -> str:
    """What is said to wrong words."""
    lines = (
        ("--version",),
        ("upp",),
        ("up", "--for", "soon"),
        ("up", "--for", "99999999999h"),
        ("up", "--only", "exce"),
        ("up", "--instance", "No_Name"),
        ("events", "--since", "soon"),
        ("events", "--last", "-1"),
        ("events", "--pid", "99999999999"),
        ("events", "--address", "10.0.0"),
        ("events", "--nothing"),
        ("completion", "tcsh"),
        ("status", NOWHERE),
        ("events", NOWHERE),
        ("reload", NOWHERE),
        ("run",),
        ("run", "/no/such/file.py"),
        ("up", "--config", "/no/such/skep.yaml"),
        *(("up", "--config", _file(name)) for name in WRONG),
        ("check", _file("nothing.txt")),
        ("check", _file("broken.txt")),
        ("check", _file("raises.txt")),
    )
    return unmarked("\n".join(run(*words) for words in lines))


def _file(name: str) -> str:
    return str((FOLDER / name).relative_to(Path.cwd()))


def _read(name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads((FOLDER / name).read_text())
    return found


def _at_widths(make: Callable[[Terminal], str]) -> str:
    """A screen on terminals of several widths, and on what is none."""
    return "\n".join(f"{width or 'any'} columns\n{make(Terminal(width))}" for width in (80, 160, 0))


def status() -> str:
    """`skep status` of an agent that had refusals, losses and a warning."""
    return _at_widths(lambda terminal: screens.status(_read("status.json"), terminal))


def powers() -> str:
    """What `skep up` begins with, narrow and in colours, then as wide as it is, without."""
    found = _read("status.json")
    shown = [
        screens.powers(found, terminal) + screens.warnings(found, terminal)
        for terminal in (Terminal(60, colours=True), Terminal())
    ]
    return "\n".join(shown).replace("\x1b", "␛")


def features() -> str:
    """`skep features`, of a kernel that lacks one and refuses one."""
    return _at_widths(lambda terminal: features_command.text(PROBES, terminal))


def down() -> str:
    """What `skep down` says."""
    where = instance_paths("lab", "")
    ended = Taken(4711, Cleared(), 9, ())
    killed = Taken(
        0, Cleared((4712,), ("/sys/fs/bpf/skep/lab/x",), ("/run/skep/lab/agent.sock",)), 9, ()
    )
    held = Taken(4711, Cleared(), 9, ("on_exec (id 7), held by pid 12 (bpftool)",))
    every = (Taken(0, Cleared(), 0, ()), ended, killed, held)
    return "\n".join(f"{down_command.text(where, one)}\n" for one in every)


def summary() -> str:
    """What `skep up` ends with; then where some waits to be read, and where all does."""
    ring = {"queue": "lifecycle ring", "passed": 9, "lost": 0}
    read = {"read_bytes": 528}
    behind = {"events": {"exec": 2}, "losses": [ring | read | {"waiting_bytes": 3 << 20}]}
    at_once = {"events": {"exec": 2}, "losses": [ring | read | {"waiting_bytes": 9000}]}
    early = {"events": {"exec": 0}, "losses": [ring | {"read_bytes": 0, "waiting_bytes": 9000}]}
    whole = _at_widths(lambda terminal: screens.summary(_read("summary.json"), terminal))
    others = (screens.summary({"seconds": 2} | one, Terminal()) for one in (behind, at_once, early))
    return "\n".join((whole, *others))


def events() -> str:
    """Events of every kind, at several widths."""
    lines = (FOLDER / "events.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    parts = []
    for width in (80, 120, 0):
        text = EventText(Terminal(width), lambda moment: moment.astimezone(UTC))
        shown = [text.head(), *map(text.line, found)]
        parts.append(f"{width or 'any'} columns\n" + "\n".join(shown) + "\n")
    return "\n".join(parts)


class Served(Struct):
    """A value of a map."""

    requests: u64
    name: char[8]


class DiskSlot(Struct):
    """The key of histograms."""

    disk: u32
    slot: u32


class Way(Struct, forms={"at": Frames(None)}):
    """A key with a stack."""

    at: u32
    slot: u32


MAPS = {
    "empty": Content([]),
    "served": Content([(7, Served(3, "shop")), (9, Served(2, "a\x1bb"))]),
    "many": Content([(key, 100 - key) for key in range(23)], FULL),
    "by_cpu": Content([("eth0", [1, 2])], by_cpu=True),
    "stations": Content([(bytes((2, 0, 0, 0, 0, 1)), 4), ((4, 5), 6)]),
    "by_stack": Content([(Way(15, 7), 3), (Way(15, 8), 2)]),
    "times": Content([(Way(15, 1), 4), (Way(15, 2), 8)], bars=Bars("us")),
    "jobs": Content([(None, 4), (None, 2)]),
    "kept": Content([(None, 4)], PINNED),
    "visits": Content([(71, 5), (70, 1)], names={71: "bash[71]", 70: "sh[70]"}),
    "sockets": Content([], UNLISTED.format(owner="socket")),
    "heap": Content([("total", 2), ("nodes[1]", Served(1, "x"))]),
    "stacks": Content([(15, ["bprm_execve", "do_syscall_64"])]),
    "pods": Content([((7, 80), 120)]),
    "waits": Content([(2, [3, 1]), (4, [12, 0])], bars=Bars("us")),
    "lengths": Content([(3, 5)], bars=Bars("B", step=10)),
    "disks": Content([(DiskSlot(8, 1), 4), (DiskSlot(8, 2), 8), (DiskSlot(9, 0), 1)], bars=Bars()),
    "unused": Content([], bars=Bars("us")),
}


def maps() -> str:
    """What `skep run` ends with: maps of every kind, for people and as JSON."""
    ways = (run_maps.text, run_maps.line)
    return "".join(
        f"{one}\n"
        for way in ways
        for name in MAPS
        for one in way(name, MAPS[name], SHOWN.get(name, shown))
    )


def named(given: Struct) -> dict[str, Any]:
    """What is shown where a kernel is, which knows the one stack that there is."""
    return shown(given, Known())


class Known:
    """Names of a live thing."""

    def number(self, _: str, number: int) -> int:
        return number

    def symbol(self, *_: object) -> str:
        return "do_syscall_64+0x0"

    def frames(self, *_: object) -> list[str]:
        return ["bprm_execve", "do_syscall_64"]


SHOWN = {"by_stack": named, "times": named}
SCREENS: dict[str, Callable[[], str]] = {
    "help": helps,
    "errors": errors,
    "status": status,
    "powers": powers,
    "features": features,
    "down": down,
    "summary": summary,
    "events": events,
    "maps": maps,
}


def written() -> Iterator[tuple[Path, str]]:
    """Each file, and what it is to hold."""
    for name, make in SCREENS.items():
        yield FOLDER / f"{name}.txt", make()


if __name__ == "__main__":
    for file, text in written():
        file.write_text(text)
