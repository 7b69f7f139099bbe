"""A pytest process in a guest: what it is told, and what it says.

It runs on a copy of the tree, so that one state is tested though somebody goes on editing. The programs are compiled
here, from that copy, against the guest's types, and given along; there is no compiler inside.
"""

import compileall
import fcntl
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import xml.etree.ElementTree as ET  # reads what our own pytest wrote
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from skep.base.config import environment
from tools import debian, vm
from tools.kernels import Kernel
from tools.target import target

FOLDER = debian.ROOT / ".cache" / "vm"
TREE = FOLDER / "tree"
KERNEL_TESTS = "tests/kernel"
COPIED = ("src", "tests", "tools", "bench", "examples", "docs", "pyproject.toml")
COMMAND = """
mkdir {llvmlite} || exit 91
cp /run/vm/config /boot/config-$(uname -r) || exit 92
{python_of} || exit 93
cd {tree} && exec env -i {variables} {python} -m pytest {options} {arguments}
"""
OPTIONS = (
    "--guest --quiet -p pytest_timeout -o timeout=240 -o faulthandler_timeout=60"
    " --junit-xml=/run/vm/results.xml"
)
"""What takes a minute tells where it is: of a guest that is ended, nothing else does."""
NO_TESTS = 5
SIZE = vm.Size(processors=1)
"""Two take half as much CPU time again for the same work: whatever one asks of the other is an exit of both."""
ABSENT = (
    *("llvmlite", "pyarrow", "mypy", "mypyc", "*__mypyc*", "ruff", "pip", "setuptools", "grimp"),
    *("ast_serialize", "importlinter", "librt", "pkg_resources", "site-packages"),
    *("config-*", "distutils", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "test", "tests"),
    *("tkinter", "turtledemo", "*.a", "*.c", "*.h", "*.opt-?.pyc", "*.pyi"),
)
"""What no kernel test imports, or may: a guest has no compiler. Of names in Python's library and beside packages."""
DEBIANS = Path(f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}")
"""Debian's own Python takes a quarter less time than one that is built without optimisations, as pyenv's is."""
COMPILING = {"PYTHONPATH": str(TREE / "src"), "PYTHONDONTWRITEBYTECODE": ""}
"""Of the pytest that collects for a guest: the tests as it rewrites them stay beside them, and are found there."""
LEFT_OUT = {
    "agents, ten seconds there for a start of one": (
        "tests/kernel/agent/test_faults.py",
        "tests/kernel/agent/test_files.py",
        "tests/kernel/agent/test_privileges.py",
        "tests/kernel/agent/test_screen.py",
        "tests/kernel/agent/test_systemd.py",
        "tests/kernel/agent/test_start.py",
        "tests/kernel/agent/test_up.py",
    ),
    "agents in floods, that need real speed": ("tests/kernel/agent/test_overload.py",),
    "agents beside daemons of containers": ("tests/kernel/agent/test_who.py",),
    "agents and their compiler, which is not there": ("tests/kernel/agent/test_cache_faults.py",),
    "they compile, and there is no compiler": (
        "tests/kernel/cli/test_run.py",
        "tests/kernel/cli/test_run_maps.py",
        "tests/kernel/lang/test_backend.py",
        "tests/kernel/lang/test_language_page.py",
        "tests/kernel/lang/test_maps_page.py",
        "tests/kernel/lang/test_random_programs.py",
        "tests/kernel/lang/test_semantics.py",
        "tests/kernel/lang/test_testing_page.py",
        "tests/kernel/large/test_unwinder_chain.py",
    ),
    "daemons of containers, and shells": (
        "tests/kernel/cli/test_completion.py",
        "tests/kernel/node/test_runtimes.py",
    ),
    "namespaces, connections and processes for each scene, a minute": (
        "tests/kernel/kinds/test_cgroups.py",
        "tests/kernel/kinds/test_network.py",
    ),
    "programs beside their twins in C, which are compiled where they run": (
        "tests/kernel/bench",
        "tests/kernel/large/test_datapath_twin.py",
    ),
    "each example starts Python anew, 10 s there": ("tests/kernel/examples/test_watching.py",),
    "four namespaces for each test, half a minute": (
        "tests/kernel/large/test_datapath_attached.py",
    ),
    "namespaces and cgroups by themselves, which other tests use there": (
        "tests/kernel/testing/test_fixtures.py",
    ),
}
"""Why, and what a guest does not even collect, for that alone takes a minute there."""


@dataclass(frozen=True, slots=True)
class Results:
    """Tests that passed, and what was said of the others, by test; of those skipped, the reason."""

    passed: int
    failed: dict[str, str]
    skipped: dict[str, str]

    def __str__(self) -> str:
        return "\n".join(f"{name}\n{text}\n" for name, text in self.failed.items())


def uncompiled(folder: Path) -> str:
    """Programs that could not be compiled for a guest, a line each, with the error."""
    lines = vm.read(folder / "compiled").splitlines()
    return "\n".join(line for line in lines if line.startswith("not compiled"))


def read(path: Path) -> Results:
    """The results in a junit file; none where there is no file."""
    found = Results(0, {}, {})
    passed = 0
    for case in ET.parse(path).iter("testcase") if path.exists() else ():
        name = f"{case.get('classname')}::{case.get('name')}"
        skip = case.find("skipped")
        wrong = [part for part in case if part.tag in ("failure", "error")]
        if wrong:
            found.failed[name] = "\n".join(part.text or part.get("message") or "" for part in wrong)
        elif skip is not None:
            found.skipped[name] = skip.get("message", "")
        else:
            passed += 1
    return Results(passed, found.failed, found.skipped)


@contextmanager
def alone() -> Iterator[None]:
    """Waits until nobody else uses this checkout's folders of guests."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def copy_tree() -> None:
    """Copy what the kernel tests need of this tree, with its bytecode: a guest would compile it in each process."""
    shutil.rmtree(TREE, ignore_errors=True)
    TREE.mkdir(parents=True)
    (TREE / ".cache").symlink_to(debian.ROOT / ".cache")
    for name in COPIED:
        source = debian.ROOT / name
        if source.is_dir():
            shutil.copytree(source, TREE / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy2(source, TREE / name)
    for path in TREE.rglob("*"):
        if (
            not path.is_symlink()
        ):  # to what an archive keeps, for the compiler is known by its files' times
            os.utime(path, (int(path.stat().st_mtime),) * 2)
    compileall.compile_dir(TREE / "src", quiet=2)


def left_out() -> list[str]:
    """The paths of LEFT_OUT."""
    return [path for paths in LEFT_OUT.values() for path in paths]


def variables() -> dict[str, str]:
    """The environment of pytest in a guest."""
    here = environment()
    given = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
    given |= {"PYTHONPATH": str(TREE / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    given |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # hypothesis's plugin takes 4 s to import
    return given | ({"CI": "1"} if here.ci else {})


def command(arguments: str) -> str:
    """What runs in a guest: pytest with ``arguments``. Of llvmlite there is a folder without anything in it."""
    return COMMAND.format(
        python_of=python_of(Path(sys.prefix), DEBIANS),
        llvmlite=shlex.quote(f"{sysconfig.get_path('purelib')}/llvmlite"),
        tree=shlex.quote(str(TREE)),
        variables=" ".join(f"{key}={shlex.quote(value)}" for key, value in variables().items()),
        python=shlex.quote(sys.executable),
        options=" ".join([OPTIONS, *(f"--ignore={path}" for path in left_out())]),
        arguments=arguments,
    )


def python_of(prefix: Path, debians: Path) -> str:
    """The command that makes ``debians`` the Python of the virtual environment at ``prefix``; one that does nothing
    where it is not there, or is so already."""
    if not debians.exists() or (prefix / "bin/python3").resolve() == debians.resolve():
        return "true"
    python, config = (shlex.quote(f"{prefix}/{name}") for name in ("bin/python3", "pyvenv.cfg"))
    home = shlex.quote(f"s|^home = .*|home = {debians.parent}|")
    return f"ln -sf {debians} {python} && sed -i {home} {config}"


def standard_library(debians: Path) -> Path:
    """The folder of the modules of the Python that a guest has."""
    theirs = debians.parent.parent / "lib" / debians.name
    return theirs if debians.exists() else Path(sysconfig.get_path("stdlib")).resolve()


def start(kernel: Kernel, arguments: str, collected: Sequence[str] = (KERNEL_TESTS,)) -> vm.Guest:
    """A guest that runs the kernel tests of the copied tree that ``arguments`` name; ``collected`` has all of those.

    Raises debian.Unavailable.
    """
    folder = FOLDER / kernel.series
    (folder / "results.xml").unlink(missing_ok=True)
    (folder / "compiled").write_text(precompile(kernel, folder / "cache", collected))
    shutil.copy(kernel.config, folder / "config")
    return vm.start(kernel, command(arguments), folder, SIZE, held(folder / "cache"))


def held(cache: Path) -> list[vm.Held]:
    """What a guest has in memory: the tree, the compiled programs, Python's library and packages."""
    paths = [standard_library(DEBIANS), Path(sysconfig.get_path("purelib")).resolve()]
    library = [vm.Held(path, str(path), ABSENT) for path in paths]
    return [vm.Held(TREE, str(TREE.resolve())), vm.Held(cache, "/var/cache/skep"), *library]


def judge(guest: vm.Guest, seconds: float, not_run: Callable[[str], None]) -> None:
    """Wait for a guest; fails where a test failed there, or the guest itself. What was skipped there is told."""
    outcome = guest.wait(seconds)
    found = read(guest.folder / "results.xml")
    for skipped in found.skipped.values():
        not_run(f"on {guest.kernel.series}: {skipped}")
    assert not outcome.trouble, f"{outcome.trouble}\n{outcome.output[-4000:]}"
    if found.failed:
        name = guest.kernel.release
        pytest.fail(f"on {name}:\n{found}{uncompiled(guest.folder)}", pytrace=False)
    assert found.passed, outcome.output
    assert outcome.code == 0, outcome.output[-4000:]


def precompile(kernel: Kernel, cache: Path, collected: Sequence[str] = (KERNEL_TESTS,)) -> str:
    """Compile what those tests load, against the types of ``kernel``, into ``cache``; what was said."""
    cache.mkdir(parents=True, exist_ok=True)
    # With "=", or pytest takes the folders for tests and looks for its root above them.
    options = [f"--compile-for={target(kernel)}", f"--compile-into={cache}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--quiet", *options, *collected],
        cwd=TREE,
        env=os.environ | COMPILING,  # noqa: TID251 - for a child
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, NO_TESTS):
        raise AssertionError(f"compiling for {kernel.release} failed:\n{done.stdout}{done.stderr}")
    return done.stdout
