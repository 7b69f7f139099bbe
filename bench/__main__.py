"""``python -m bench --list`` and ``python -m bench NAME... [--quick]``.

Each bench runs in a process of its own, so that what one imports or leaves running does not weigh on the next. It
prints a table for people and then one line of JSON. The exit code is 0 when all were measured, also where a goal was
missed; one that cannot measure here, as without root, says why in a line and has no figures.
"""

import argparse
import ast
import importlib
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from bench.figures import Figure, Form, line, table
from skep.base.errors import SkepError

FOLDER = Path(__file__).parent


def benches(folder: Path = FOLDER) -> dict[str, str]:
    """The benches by name, with their docstrings: the modules that define ``measure``."""
    return {
        path.stem: ast.get_docstring(tree) or ""
        for path in sorted(folder.glob("[!_]*.py"))
        if _measures(tree := ast.parse(path.read_text()))
    }


def _measures(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.FunctionDef) and node.name == "measure" for node in tree.body)


def show(name: str, measured: Mapping[str, Figure | Form]) -> None:
    """Print what one bench measured: its table and its line."""
    figures = {k: v if isinstance(v, Figure) else Figure.of(v) for k, v in measured.items()}
    print(table(figures))
    print(line(name, figures), flush=True)


def run(name: str, *, quick: bool) -> int:
    """One bench in this process; its exit code."""
    try:
        measured = importlib.import_module(f"bench.{name}").measure(quick)
    except (SkepError, PermissionError) as error:
        print(f"bench: {name} cannot measure here: {error}", file=sys.stderr)
        return 1
    show(name, measured)
    return int(not measured)


def main(arguments: list[str] | None = None) -> int:
    """Parse, then run what was named."""
    known = benches()
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--list", action="store_true", help="what there is, a line each")
    parser.add_argument("--quick", action="store_true", help="within 180 s each")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in known]:
        parser.error(f"no bench {unknown[0]!r}; there are {', '.join(known) or 'none'}")
    if options.list or not options.names:
        for name, text in known.items():
            print(f"{name:10} {text.splitlines()[0]}")
        return 0
    if len(options.names) == 1:
        return run(options.names[0], quick=options.quick)
    flags = ["--quick"] * options.quick
    codes = [
        subprocess.run([sys.executable, "-m", "bench", name, *flags], check=False).returncode
        for name in options.names
    ]
    return max(codes, key=abs) and 1


if __name__ == "__main__":
    sys.exit(main())
