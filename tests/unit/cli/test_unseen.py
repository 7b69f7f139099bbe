"""Why there was no event: told aside, and only to people."""

from typing import Any

import pytest

from skep.api.query import Query
from skep.base.errors import Unreachable
from skep.cli import unseen

CONNECTS = Query(kinds=frozenset({"connect", "exec"}))


class FakeClient:
    """An agent that collects ``kinds`` and keeps ``stored`` events; None: it is gone."""

    def __init__(self, stored: int | None, *kinds: str) -> None:
        self._stored, self._kinds = stored, kinds

    def summary(self) -> dict[str, Any]:
        if self._stored is None:
            raise Unreachable("x", "gone")
        return {"events": dict.fromkeys(self._kinds, 0)}

    def status(self) -> dict[str, Any]:
        if self._stored is None:
            raise Unreachable("x", "gone")
        return {"store": {"events": self._stored}}


@pytest.mark.parametrize(
    ("agent", "choice", "said"),
    [
        (FakeClient(0), Query(), "no event: none is stored; --follow waits for those to come"),
        (
            FakeClient(1234, "exec", "connect"),
            CONNECTS,
            "no event: none of the 1,234 stored fits; --follow waits for those to come",
        ),
        (
            FakeClient(9, "exec"),
            CONNECTS,
            "this agent does not collect connect; its settings and --only choose",
        ),
        (FakeClient(9, "exec"), Query(last=0), ""),
        (FakeClient(None), CONNECTS, ""),
    ],
)
def test_an_empty_answer_has_its_reason(agent: FakeClient, choice: Query, said: str) -> None:
    assert unseen.nothing(agent, choice) == said  # type: ignore[arg-type]
