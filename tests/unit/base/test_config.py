"""The configuration file: what it takes, and how an error names its place."""

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skep.base.config import (
    EVENT_KINDS,
    Config,
    Environment,
    Memory,
    Metrics,
    Processes,
    Runtimes,
    Store,
    environment,
    load,
    parse,
)
from skep.base.errors import BadInput

NOTHING = Environment()

WHOLE = """\
instance: lab
log: debug
users: no
events: {drop: false, oom: off}
metrics:
  enabled: true
  address: "[::1]:9999"
memory: {percent: 1, minimum: 64MiB}
store: {events: 5_000, age: 10m}
processes: {alive: 2000, ended: 256, ancestors: 0}
runtimes:
  cri: [unix:///run/x.sock]
  docker: []
"""


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "skep.yaml"
    path.write_text(text)
    return str(path)


def test_no_file_gives_the_defaults() -> None:
    config = Config(**parse(""))
    assert config == Config()
    assert config.events == frozenset(EVENT_KINDS)
    assert config.metrics.address == "127.0.0.1:9565"
    assert config.memory.percent == 0.25


def test_every_key_is_taken(tmp_path: Path) -> None:
    config = load(write(tmp_path, WHOLE), NOTHING)
    assert (config.instance, config.log, config.users) == ("lab", "debug", False)
    assert config.events == frozenset(EVENT_KINDS) - {"drop", "oom"}
    assert config.metrics.address == "[::1]:9999"
    assert (config.memory.percent, config.memory.minimum) == (1.0, 64 << 20)
    assert (config.store.events, config.store.age) == (5_000, 600 * 10**9)
    assert (config.processes.alive, config.processes.ancestors) == (2000, 0)
    assert config.runtimes.cri == ("/run/x.sock",)
    assert config.runtimes.docker == ()
    assert config.runtimes.podman == Config().runtimes.podman


BAD = [
    ("instanse: x", "f:1: instanse: unknown key; did you mean 'instance'?"),
    ("\nmetrics:\n  port: 1", "f:3: metrics.port: unknown key; known are enabled, address"),
    ("log: info\nlog: debug", "f:2: log: given twice, first in line 1"),
    ("log: inf", "f:1: log: 'inf' does not fit; expected one of debug, info, warning, error; did"),
    ("users: 3", "f:1: users: '3' does not fit; expected true or false"),
    ("users: 'true'", "f:1: users: 'true' does not fit; expected true or false"),
    ("memory: {percent: 90}", "f:1: memory.percent: '90' does not fit; expected a number"),
    ("memory: {percent: .nan}", "f:1: memory.percent: '.nan' does not fit"),
    ("memory: {minimum: 1KiB}", "f:1: memory.minimum: '1KiB' does not fit; expected a size from"),
    ("memory: {minimum: lots}", "f:1: memory.minimum: 'lots' does not fit"),
    ("store: {events: 1:30}", "f:1: store.events: '1:30' does not fit; expected a whole number"),
    ("store: {events: 1e9}", "f:1: store.events: '1e9' does not fit"),
    ("store: {age: 1ns}", "f:1: store.age: '1ns' does not fit; expected a duration from 1 s"),
    ("store:", "f:1: store: nothing does not fit; expected a mapping with keys of events, age"),
    ("store: [1]", "f:1: store: a list does not fit; expected a mapping"),
    ("- 1", "f:1: (top): a list does not fit; expected a mapping with keys of instance"),
    ("metrics: {address: '9565'}", "f:1: metrics.address: '9565' does not fit; expected host:port"),
    ("metrics: {address: 'h:70000'}", "f:1: metrics.address: 'h:70000' does not fit"),
    ("runtimes: {cri: /x}", "f:1: runtimes.cri: '/x' does not fit; expected a list of socket"),
    ("runtimes:\n  cri:\n  - /x\n  - y", "f:4: runtimes.cri[1]: 'y' does not fit; expected an abs"),
    ("runtimes: {cri: [{a: 1}]}", "f:1: runtimes.cri[0]: a mapping does not fit"),
    ("instance: A/B", "f:1: instance: 'A/B' cannot name an instance; take 1 to 32"),
    ("events: {exce: false}", "f:1: events.exce: unknown key; did you mean 'exec'?"),
    ("? [a]\n: 1", "f:1: ?: unknown key"),
    ("a: [", "f:1: it is not YAML: "),
    ("a: &x *x", "f:1: it is not YAML: "),
    ("a: 1\n---\nb: 2", "f:2: it is not YAML: "),
    ("<<: {log: info}", "f:1: <<: unknown key"),
    ("log: !!python/name:os.system x", "f:1: log: 'x' does not fit"),
    ("a: 1\nb: \x01", "f:2: it is not YAML: the character U+0001 is not allowed"),
]


@pytest.mark.parametrize(("text", "said"), BAD)
def test_an_error_names_file_line_and_key(text: str, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse(text, "f")
    assert str(caught.value).startswith(said)


def test_deep_nesting_is_an_error_not_a_crash() -> None:
    with pytest.raises(BadInput, match="not YAML"):
        parse("[" * 100_000, "f")


@given(st.text(max_size=60))
def test_any_text_is_settings_or_bad_input(text: str) -> None:
    try:
        Config(**parse(text, "f"))
    except BadInput as error:
        assert str(error).startswith("f")  # noqa: PT017 - either outcome is right


SOCKETS = st.lists(
    st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), max_size=20)
    .map("/".__add__)
    .filter(lambda path: path.isprintable()),
    max_size=3,
).map(tuple)
CONFIGS = st.builds(
    Config,
    instance=st.from_regex(r"[a-z][a-z0-9-]{0,30}[a-z0-9]", fullmatch=True),
    log=st.sampled_from(("debug", "info", "warning", "error")),
    users=st.booleans(),
    events=st.frozensets(st.sampled_from(EVENT_KINDS)),
    metrics=st.builds(
        Metrics,
        enabled=st.booleans(),
        address=st.tuples(st.sampled_from(("[::1]", "a.b", "1.2.3.4")), st.integers(1, 65535)).map(
            lambda both: f"{both[0]}:{both[1]}"
        ),
    ),
    memory=st.builds(Memory, percent=st.floats(0.01, 25.0), minimum=st.integers(4 << 20, 1 << 40)),
    store=st.builds(
        Store, events=st.integers(1_000, 10_000_000), age=st.integers(10**9, 30 * 86400 * 10**9)
    ),
    processes=st.builds(
        Processes,
        alive=st.integers(1_024, 4_194_304),
        ended=st.integers(256, 1_048_576),
        ancestors=st.integers(0, 64),
    ),
    runtimes=st.builds(Runtimes, cri=SOCKETS, docker=SOCKETS, podman=SOCKETS),
)


def written(config: object) -> dict[str, Any]:
    """What a person would write into a file for ``config``."""
    found: dict[str, Any] = {}
    for name in (field.name for field in fields(config)):  # type: ignore[arg-type]  # a dataclass
        value = getattr(config, name)
        match value:
            case frozenset():
                found[name] = {kind: kind in value for kind in EVENT_KINDS}
            case tuple():
                found[name] = list(value)
            case _ if name == "age":
                found[name] = f"{value}ns"
            case _:
                found[name] = written(value) if is_dataclass(value) else value
    return found


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CONFIGS, st.booleans())
def test_any_configuration_is_read_as_it_was_written(config: Config, flow: bool) -> None:  # noqa: FBT001 - an example
    text = yaml.safe_dump(written(config), default_flow_style=flow, allow_unicode=True)
    assert Config(**parse(text)) == config


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no such file"):
        load(str(tmp_path / "none"), NOTHING)
    with pytest.raises(BadInput, match="there is no such file"):
        load("", Environment(config=str(tmp_path / "none")))


def test_a_directory_binary_and_huge_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read: Is a directory"):
        load(str(tmp_path), NOTHING)
    path = tmp_path / "x"
    path.write_bytes(b"a: 1\n\xff\n")
    with pytest.raises(BadInput, match="x:2: it is not UTF-8"):
        load(str(path), NOTHING)
    path.write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(BadInput, match="larger than"):
        load(str(path), NOTHING)


def test_the_environment_goes_over_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "instance: a")
    assert load(path, Environment(instance="b")).instance == "b"
    assert load("", Environment(config=path)).instance == "a"
    with pytest.raises(BadInput, match=r"SKEP_INSTANCE: 'B\.' cannot name"):
        load(path, Environment(instance="B."))


def test_the_command_line_goes_over_the_environment(tmp_path: Path) -> None:
    path = write(tmp_path, "instance: a")
    assert load(path, Environment(config="/nowhere")).instance == "a"


def test_the_environment_is_read_in_one_place() -> None:
    given_values = {
        "SKEP_CONFIG": "/c",
        "SKEP_INSTANCE": "i",
        "SKEP_TEST_DATA": "/d",
        "NOTIFY_SOCKET": "@n",
        "HOME": "/home/u",
        "XDG_CACHE_HOME": "/x",
        "CI": "true",
        "NO_COLOR": "1",
        "SKEP_TRACE": "1",
    }
    assert environment(given_values, uid=1000) == Environment(
        "/c", "i", "/x/skep", "/d", "@n", no_color=True, ci=True, trace=True
    )
    assert environment({"CI": "0", "SKEP_TRACE": ""}, uid=0) == Environment(cache="/var/cache/skep")
