"""The exposition, read back by Prometheus' own parser."""

import asyncio
from collections.abc import Awaitable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from skep.api import metrics, routes
from skep.api.http import Request
from skep.api.metrics import COUNTER, GAUGE, Family, Sample
from skep.api.server import Body, Feed
from tests.unit.api.fake_node import FakeNode

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

ODD = 'a "quoted" \\ back\nslash'


def read(*families: Family) -> dict[str, list[tuple[dict[str, str], float]]]:
    found = text_string_to_metric_families(metrics.text(families).decode())
    return {f.name: [(s.labels, s.value) for s in f.samples] for f in found}


def test_the_parser_of_prometheus_reads_what_was_meant() -> None:
    counts = (Sample(3, {"kind": "exec"}), Sample(2.5, {"kind": "exit"}))
    events = Family("skep_events_total", COUNTER, "Events.", counts)
    memory = Family("skep_memory_bytes", GAUGE, "Memory.", (Sample(1 << 60, {"process": ODD}),))
    assert read(events, memory) == {
        "skep_events": [({"kind": "exec"}, 3.0), ({"kind": "exit"}, 2.5)],
        "skep_memory_bytes": [({"process": ODD}, float(1 << 60))],
    }


def test_type_and_help_are_told() -> None:
    one = Family("a_total", COUNTER, "Two\nlines \\.", (Sample(1, {}),))
    text = metrics.text([one]).decode()
    assert text == "# HELP a_total Two\\nlines \\\\.\n# TYPE a_total counter\na_total 1\n"


def test_a_family_without_samples_is_left_out() -> None:
    assert metrics.text([Family("a", GAUGE, "A.", ())]) == b""


def test_whoever_asks_again_within_a_second_is_given_the_same() -> None:
    now = 100.0
    handle = routes.prometheus(FakeNode(), lambda: now)["/metrics"]["GET"]

    def asked() -> bytes:
        answer = asyncio.run(_awaited(handle(Request("GET", "/metrics", (), {}), b"")))
        assert isinstance(answer, Body)
        return answer.data.splitlines()[-1]

    assert [asked(), asked()] == [b"read_total 1"] * 2
    now = 100.9
    assert asked() == b"read_total 1"
    now = 101.0
    assert [asked(), asked()] == [b"read_total 2"] * 2


async def _awaited(answer: Awaitable[Body | Feed]) -> Body | Feed:
    return await answer


@PATIENT
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=30))
def test_any_label_comes_back(value: str) -> None:
    # The parser splits its input where str.splitlines does; the format has newlines alone.
    plain = "".join(value.splitlines())
    one = Family("a", GAUGE, "A.", (Sample(1, {"x": plain}),))
    assert read(one) == {"a": [({"x": plain}, 1.0)]}
