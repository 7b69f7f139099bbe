"""A pytest plugin for tests that meet a kernel: programs and their events, namespaces, cgroups, skips that tell why.

Used with ``-p skep.testing.plugin``, or ``pytest_plugins`` in a conftest. What a fixture makes lives as long as the
test, and only that is removed. ``@pytest.mark.requires("link.tcx")`` names rows of the kernel's probes: a test is
skipped where one is missing, and fails where the kernel should have it.

``--compile-for TARGET --compile-into CACHE`` runs no test: it compiles the programs of the collected modules for
another kernel (``skep.testing.precompile``), so that they can be tested there without a compiler.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import ModuleType

import pytest

from skep.base.lazy import lazy
from skep.testing.cgroups import Cgroup
from skep.testing.network import Namespace, Wire, join
from skep.testing.programs import Captured, Loader
from skep.testing.requirements import Requirements

precompile = lazy("skep.testing.precompile")
REQUIREMENTS = pytest.StashKey[Requirements]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options for another kernel."""
    group = parser.getgroup("skep")
    group.addoption("--compile-for", metavar="TARGET", help="compile for this kernel; run no test")
    group.addoption("--compile-into", metavar="CACHE", help="where the compiled programs go")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.stash[REQUIREMENTS] = Requirements()
    config.addinivalue_line(
        "markers", "requires(*features): skip, naming the feature, where the kernel lacks one"
    )


def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Compile instead of running, where that is asked for."""
    target, cache = (session.config.getoption(f"compile_{word}") for word in ("for", "into"))
    if not target or not cache:
        return None
    programs = precompile.programs([*_imported(session), *precompile.shipped()])
    made = precompile.compile_for(programs, target, cache)
    precompile.compile_functions(target, cache)
    print(f"\ncompiled {len(programs) - len(made.refused)} programs")  # noqa: T201 - what was asked for
    for name, error in made.refused.items():
        print(f"not compiled: {name}: {error}")  # noqa: T201 - as above
    return True


def _imported(session: pytest.Session) -> list[ModuleType]:
    """The modules that tests were collected from, and those beside and below them that they import."""
    folders = {f"{item.path.parent}{os.sep}" for item in session.items}
    found = {name: getattr(module, "__file__", None) or "" for name, module in sys.modules.items()}
    return [sys.modules[n] for n, path in found.items() if path.startswith(tuple(folders))]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip where a required feature is missing; fail where the kernel should have it."""
    for marker in item.iter_markers("requires"):
        for feature in marker.args:
            verdict = item.config.stash[REQUIREMENTS].lack(feature)
            if verdict is not None and verdict.accepted:
                pytest.skip(verdict.reason)
            if verdict is not None:
                pytest.fail(verdict.reason, pytrace=False)


@pytest.fixture
def namespaces() -> Iterator[Callable[[], Namespace]]:
    """Makes network namespaces: ``namespaces()``; each is gone after the test."""
    with ExitStack() as stack:

        def make() -> Namespace:
            namespace = Namespace()
            stack.callback(namespace.close)
            return namespace

        yield make


@pytest.fixture
def netns(namespaces: Callable[[], Namespace]) -> Namespace:
    """One network namespace."""
    return namespaces()


@pytest.fixture
def wire(namespaces: Callable[[], Namespace]) -> Wire:
    """Two network namespaces joined by a veth pair with addresses."""
    return join(namespaces(), namespaces())


@pytest.fixture
def cgroups() -> Iterator[Callable[[], Cgroup]]:
    """Makes cgroups: ``cgroups()``; each is gone after the test, with the processes inside."""
    with ExitStack() as stack:
        made: list[Cgroup] = []

        def make() -> Cgroup:
            made.append(Cgroup(f"skep-test-{os.getpid()}-{len(made)}"))
            stack.callback(made[-1].close)
            return made[-1]

        yield make


@pytest.fixture
def cgroup(cgroups: Callable[[], Cgroup]) -> Cgroup:
    """One cgroup."""
    return cgroups()


@pytest.fixture
def loaded() -> Iterator[Loader]:
    """Loads programs for a test, with which they and their maps go.

    ``live = loaded(on_packet, maps={limits: {1: 5}})``.
    """
    loader = Loader()
    yield loader
    loader.close()


@pytest.fixture
def captured(loaded: Loader) -> Callable[..., Captured]:
    """Loads programs for a test and captures the events of a ring: ``captured(ring, on_exec).wait(2)``."""
    return loaded.capture
