"""Configuration: the one place that reads environment variables and /etc/skep/skep.yaml.

A file is read and checked wholly before anything starts; its first error names file, line and key.
What the command line says goes over the environment, that over the file, that over the defaults
here. A Config is a value.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import field, fields, is_dataclass
from typing import Any

from skep.base import settings
from skep.base.errors import BadInput, Forbidden
from skep.base.frozen import frozen
from skep.base.lazy import lazy
from skep.base.paths import DEFAULT_INSTANCE, cache_directory, check_instance
from skep.base.settings import Check, Place

yaml = lazy("yaml")

DEFAULT_FILE = "/etc/skep/skep.yaml"
EVENT_KINDS = ("exec", "fork", "exit", "connect", "accept", "close", "drop", "oom")
TRACE = "SKEP_TRACE"
_MIB = 1 << 20
_MAX_FILE = 1 * _MIB


@frozen
class Environment:
    """What environment variables say; empty where they say nothing."""

    config: str = ""
    instance: str = ""
    cache: str = ""
    test_data: str = ""
    notify_socket: str = ""
    no_color: bool = False
    ci: bool = False
    trace: bool = False


def environment(values: Mapping[str, str] | None = None, uid: int | None = None) -> Environment:
    """Read the environment (or ``values``); ``cache`` is the cache directory that follows."""
    given = os.environ if values is None else values  # noqa: TID251 - the door
    user = os.geteuid() if uid is None else uid
    return Environment(
        config=given.get("SKEP_CONFIG", ""),
        instance=given.get("SKEP_INSTANCE", ""),
        cache=cache_directory(user, given.get("HOME") or "/", given.get("XDG_CACHE_HOME", "")),
        test_data=given.get("SKEP_TEST_DATA", ""),
        notify_socket=given.get("NOTIFY_SOCKET", ""),
        no_color=bool(given.get("NO_COLOR", "")) or given.get("TERM") == "dumb",
        ci=_on(given.get("CI", "")),
        trace=_on(given.get(TRACE, "")),
    )


def _on(word: str) -> bool:
    return word.lower() not in ("", "0", "false")


def trace() -> None:
    """Have the programs that this process and its children load traced (SKEP_TRACE)."""
    os.environ[TRACE] = "1"  # noqa: TID251 - the door


def _key(default: object, check: Check) -> Any:  # noqa: ANN401 - dataclass.field's own type
    return field(default=default, metadata={"check": check})


@frozen
class Metrics:
    """Prometheus metrics over HTTP; ``address`` is host:port."""

    enabled: bool = _key(default=True, check=settings.boolean)
    address: str = _key("127.0.0.1:9565", settings.address)


@frozen
class Memory:
    """The budget of rings and maps: ``percent`` of the memory, at least ``minimum`` bytes."""

    percent: float = _key(0.25, settings.number(0.01, 25.0))
    minimum: int = _key(32 * _MIB, settings.size(4 * _MIB, 1 << 40))


@frozen
class Store:
    """Recent events that the agent keeps: at most this many, no older than ``age`` ns."""

    events: int = _key(100_000, settings.integer(1_000, 10_000_000))
    age: int = _key(3600 * 10**9, settings.duration(10**9, 30 * 86400 * 10**9))


@frozen
class Processes:
    """Bounds of the process table: processes alive, ended ones kept, ancestors named."""

    alive: int = _key(32_768, settings.integer(1_024, 4_194_304))
    ended: int = _key(8_192, settings.integer(256, 1_048_576))
    ancestors: int = _key(8, settings.integer(0, 64))


@frozen
class Runtimes:
    """Sockets of container runtimes, asked in order; one that is not there is passed over."""

    cri: tuple[str, ...] = _key(
        (
            "/run/containerd/containerd.sock",
            "/run/k3s/containerd/containerd.sock",
            "/run/crio/crio.sock",
            "/run/cri-dockerd.sock",
        ),
        settings.sockets,
    )
    docker: tuple[str, ...] = _key(("/run/docker.sock",), settings.sockets)
    podman: tuple[str, ...] = _key(("/run/podman/podman.sock",), settings.sockets)


@frozen
class Config:
    """All settings of an agent. ``events`` are the kinds that it collects."""

    instance: str = _key(DEFAULT_INSTANCE, settings.instance)
    log: str = _key("info", settings.choice("debug", "info", "warning", "error"))
    users: bool = _key(default=True, check=settings.boolean)
    events: frozenset[str] = _key(frozenset(EVENT_KINDS), settings.switches(EVENT_KINDS))
    metrics: Metrics = field(default_factory=Metrics)
    memory: Memory = field(default_factory=Memory)
    store: Store = field(default_factory=Store)
    processes: Processes = field(default_factory=Processes)
    runtimes: Runtimes = field(default_factory=Runtimes)


def load(path: str = "", env: Environment | None = None) -> Config:
    """The Config of ``path``, else of SKEP_CONFIG, else of /etc/skep/skep.yaml, else the defaults.

    BadInput names file, line and key; Forbidden: the file may not be read. SKEP_INSTANCE goes over
    the file's instance.
    """
    env = environment() if env is None else env
    named = path or env.config
    text = _read(named or DEFAULT_FILE, required=bool(named))
    given = {} if text is None else parse(text, named or DEFAULT_FILE)
    if env.instance:
        given["instance"] = check_instance(env.instance, "SKEP_INSTANCE")
    return Config(**given)


def _read(path: str, *, required: bool) -> str | None:
    try:
        with open(path, "rb", opener=_at_once) as file:
            lasting = stat.S_ISREG(os.fstat(file.fileno()).st_mode) or path == os.devnull
            data = file.read(_MAX_FILE + 1) if lasting else b""
    except FileNotFoundError:
        if not required:
            return None
        hint = "name one with --config or SKEP_CONFIG"
        raise BadInput(path, "there is no such file", hint) from None
    except PermissionError as error:
        raise Forbidden(f"reading {path}", "permission to read it") from error
    except OSError as error:
        raise BadInput(path, f"it cannot be read: {error.strerror}") from error
    if not lasting:
        raise BadInput(path, "it is no file: a reload reads it once more")
    if len(data) > _MAX_FILE:
        raise BadInput(path, f"it is larger than {_MAX_FILE} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{path}:{line}", "it is not UTF-8 text") from error


def _at_once(path: str, flags: int) -> int:
    """Open, without waiting for the other end of a pipe: an agent that reads its settings anew would hang."""
    return os.open(path, flags | os.O_NONBLOCK)


def parse(text: str, file: str = DEFAULT_FILE) -> dict[str, Any]:
    """The settings in ``text`` (YAML) by field of Config; BadInput at the first wrong one."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{file}:{mark.line + 1}" if mark else file
        raise BadInput(place, f"it is not YAML: {error.problem or error.context}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problem = f"the character U+{error.character:04X} is not allowed"
        raise BadInput(f"{file}:{line}", f"it is not YAML: {problem}") from error
    except RecursionError as error:
        raise BadInput(file, "it is not YAML: it goes too deep") from error
    if root is None:
        return {}
    return _section(Place(file, root.start_mark.line + 1, "", root), Config)


def _section(place: Place, shape: type[Any]) -> dict[str, Any]:
    rows = {row.name: row for row in fields(shape)}
    given = {}
    for name, inner in place.mapping(rows).items():
        row = rows[name]
        check = row.metadata.get("check")
        if check is not None:
            given[name] = check(inner)
        elif is_dataclass(row.default_factory):
            given[name] = row.default_factory(**_section(inner, row.default_factory))
    return given
