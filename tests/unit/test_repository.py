"""What the repository promises of itself, where that is cheap to check."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import skep
from bench.__main__ import benches
from tools.debian import BUNDLES

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("src", "tests", "bench", "tools", "examples", "docs", "packaging", ".ci")
TEXT = {".py", ".md", ".toml", ".txt", ".yaml", ".service", ".init", ""}
LONGEST_MODULE = 500
LONGEST_LINE = 120
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")


@cache
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def files() -> Iterator[Path]:
    yield from (path for path in ROOT.iterdir() if path.is_file() and path.suffix in TEXT)
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix in TEXT and "__pycache__" not in path.parts:
                yield path


def written(path: Path) -> str:
    return path.read_text(errors="replace")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_nothing_is_left_to_be_done_in_a_comment() -> None:
    words = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "X" * 3)))
    assert [named(path) for path in files() if words.search(written(path))] == []


def test_no_file_names_a_place_of_the_machine_it_was_written_on() -> None:
    # Where checkouts often lie is named for other reasons; there it is the checkout's own name that would tell.
    common = ROOT.parent.parent == Path("/") and ROOT.parent.name in {
        "root",
        "home",
        "opt",
        "srv",
        "tmp",
        "mnt",
    }
    place = f"{ROOT if common else ROOT.parent}/"
    assert place == "//" or [named(path) for path in files() if place in written(path)] == []


def test_test_data_is_named_in_one_place() -> None:
    word = "shared" + '" / "data'
    assert [named(path) for path in files() if word in written(path)] == ["tests/conftest.py"]


def test_modules_are_short() -> None:
    lengths = {
        named(path): len(written(path).splitlines()) for path in files() if path.suffix == ".py"
    }
    assert {name: n for name, n in lengths.items() if n > LONGEST_MODULE} == {}


def test_modules_of_the_product_say_what_they_are() -> None:
    modules = [path for path in files() if path.suffix == ".py" and "tests" not in path.parts]
    silent = [named(p) for p in modules if written(p).strip() and not ast.get_docstring(_tree(p))]
    assert silent == []


def _tree(path: Path) -> ast.Module:
    return ast.parse(written(path))


def test_no_module_of_the_product_imports_inside_a_function() -> None:
    found = []
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                inner = [n for n in ast.walk(node) if isinstance(n, ast.Import | ast.ImportFrom)]
                found += [f"{named(path)}:{n.lineno}" for n in inner]
    assert found == []


def test_every_bench_says_what_it_measures() -> None:
    assert [name for name, text in benches().items() if not text] == []


def test_the_layers_of_the_architecture_are_those_of_the_import_contract() -> None:
    contracts = project()["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    contract = [sorted(re.findall(r"\w+", layer)) for layer in layers]
    rows = re.findall(r"^\| (`[^|]+`) \|", written(ROOT / "ARCHITECTURE.md"), re.MULTILINE)
    assert [sorted(re.findall(r"\w+", row)) for row in rows] == contract


def test_a_package_is_marked_as_missing_in_the_contract_just_while_it_is() -> None:
    contracts = project()["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    absent = set(re.findall(r"\((\w+)\)", " ".join(layers)))
    present = {
        path.name for path in (ROOT / "src/skep").iterdir() if (path / "__init__.py").exists()
    }
    assert absent & present == set()
    assert set(re.findall(r"\w+", " ".join(layers))) - absent == present


def requirements() -> set[str]:
    told = project()["project"]
    extras = told["optional-dependencies"]
    lists = [told["dependencies"], *(extras[name] for name in extras if name != "dev")]
    return {re.split(r"[<>=\[]", item)[0] for items in lists for item in items}


def test_each_dependency_has_its_line_and_each_line_its_dependency() -> None:
    text = written(ROOT / "docs/dependencies.md")
    run, extras, debian = re.split(r"^## (?:Extras|Debian.*)$", text, flags=re.MULTILINE)
    told = set(re.findall(r"^\| (\S+) \|", run, re.MULTILINE))
    for row in re.findall(r"^\| \w+ \| ([^|]+) \|", extras, re.MULTILINE):
        told |= set(row.split(", "))
    assert told - {"package"} == requirements()
    bundles = re.findall(r"^\| ([^|]+) \|", debian, re.MULTILINE)
    assert {name for row in bundles for name in row.split(", ")} - {"bundle", "---"} == set(BUNDLES)


def test_each_dependency_has_a_version_that_ci_runs_with() -> None:
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in constraints()}
    assert requirements() - pinned == set()


def test_each_dependency_to_run_is_imported_somewhere() -> None:
    modules = {"pyyaml": "yaml"}
    source = "\n".join(written(path) for path in (ROOT / "src").rglob("*.py"))
    unused = [
        package
        for package in (
            re.split(r"[<>=]", item)[0] for item in project()["project"]["dependencies"]
        )
        if not re.search(
            rf"^\s*(?:import|from) {(name := modules.get(package, package))}\b|lazy\(\"{name}\b",
            source,
            re.MULTILINE,
        )
    ]
    assert unused == []


def constraints() -> list[str]:
    lines = written(ROOT / "constraints.txt").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_links_between_documents_lead_somewhere() -> None:
    documents = [path for path in files() if path.suffix == ".md"]
    broken = [
        f"{named(path)}: {link}"
        for path in documents
        for link in LINK.findall(written(path))
        if not (path.parent / link).exists()
    ]
    assert broken == []


def test_paths_that_documents_name_exist() -> None:
    name = re.compile(
        r"`((?:docs|tests|tools|examples|bench|packaging)/[\w./-]+)`|\b(docs/[\w/-]+\.md)"
    )
    missing = [
        f"{named(path)}: {found}"
        for path in files()
        if path.suffix == ".md"
        for pair in name.findall(written(path))
        if not (ROOT / (found := pair[0] or pair[1])).exists()
    ]
    assert missing == []


def test_the_program_of_the_readme_is_that_of_the_first_example() -> None:
    [code] = re.findall(
        r"^```python\n(.*?)^```", written(ROOT / "README.md"), re.MULTILINE | re.DOTALL
    )
    program, _, _ = code.partition("\nwith ")
    assert "event.submit()" in program
    assert program in written(ROOT / "examples/01_hello.py")


def test_every_example_is_listed() -> None:
    folder = ROOT / "examples"
    large = [
        f"large/{path.name}" for path in (folder / "large").iterdir() if list(path.glob("*.py"))
    ]
    there = {path.name for path in folder.glob("*.py")} | set(large)
    assert set(LINK.findall(written(folder / "README.md"))) == there


def test_decisions_are_numbered_and_have_their_parts() -> None:
    pages = sorted((ROOT / "docs/decisions").glob("*.md"))
    numbers = [page.name[:4] for page in pages]
    assert len(set(numbers)) == len(numbers)
    for page in pages:
        text = written(page)
        assert re.match(rf"# 0*{int(page.name[:4])}[.:] ", text), page
        for part in ("question", "choices", "answer", "look again"):
            assert re.search(rf"^(## |\*\*).*{part}", text.lower(), re.MULTILINE), (page, part)


def test_every_script_has_its_first_line_and_may_be_run() -> None:
    run = ROOT / ".ci/run"
    assert written(run).startswith("#!/bin/sh\n")
    assert run.stat().st_mode & 0o100


def test_make_help_lists_every_target() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    [phony] = re.findall(r"^\.PHONY: (.*)$", written(ROOT / "Makefile"), re.MULTILINE)
    listed = re.findall(r"^  (\w+) ", done.stdout, re.MULTILINE)
    assert sorted(listed) == sorted(phony.split())


@pytest.mark.parametrize("module", ["skep", "skep.program.live", "skep.lang.programs"])
def test_the_start_path_imports_nothing_that_is_slow(module: str) -> None:
    slow = ("numpy", "llvmlite", "pyarrow", "asyncio", "ssl", "yaml", "h2", "pathlib")
    code = (
        f"import sys; before = set(sys.modules); import {module}; print(*set(sys.modules) - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert sorted(set(done.stdout.split()) & set(slow)) == []


def test_who_asks_whether_a_name_is_there_waits_for_no_other_to_be_proposed() -> None:
    code = (
        "import sys, skep; assert not hasattr(skep, 'Hsh'); print('difflib' in sys.modules)\n"
        "skep.Hsh"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    said = "AttributeError: module 'skep' has no attribute 'Hsh'; did you mean 'Hash'?"
    assert (done.stdout, done.stderr.splitlines()[-1]) == ("False\n", said)


def test_all_names_are_imported_by_a_star_too() -> None:
    names: dict[str, object] = {}
    exec("from skep import *", names)
    assert names["Struct"] is skep.Struct
    assert names.keys() - {"__builtins__"} == set(skep.__all__)
