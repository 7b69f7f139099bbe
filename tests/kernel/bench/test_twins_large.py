"""The large programs give the same answers as their twins in C."""

import random

from examples.large.matcher.matcher import Matcher
from examples.large.matcher.watched import rules, watched
from tests.kernel.bench.conftest import Loads


def test_the_matcher(both: Loads) -> None:
    loaded = both("examples/large/matcher", "match_path")
    ours, theirs = (Matcher(side, watched()) for side in loaded.sides)
    rng = random.Random(7)
    pieces = [text.encode() for _, text in rules()]
    paths = [b"".join(rng.choices(pieces, k=rng.randrange(6))) for _ in range(300)]
    paths += [path * 40 for path in paths[:20]]
    answers = [ours.match(path) for path in paths]
    assert answers == [theirs.match(path) for path in paths]
    assert len(set(answers)) > 100
    assert loaded.maps("answer")[0] == loaded.maps("answer")[1]
