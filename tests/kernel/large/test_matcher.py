"""Paths through one automaton in the kernel, beside what Python says of the same patterns."""

import fnmatch
import random
import re
from collections.abc import Callable, Iterator, Sequence

import pytest

import skep
from examples.large.matcher import patterns as kinds
from examples.large.matcher.matcher import Matcher
from examples.large.matcher.patterns import Pattern
from examples.large.matcher.program import PATH, match_path
from examples.large.matcher.watched import rules, watched
from skep.base.errors import BadInput
from skep.cli.verdict import verdict
from skep.program.live import Live

Rule = tuple[str, bytes]
JUDGES: dict[str, Callable[[bytes, bytes], bool]] = {
    "prefix": bytes.startswith,
    "suffix": bytes.endswith,
    "contains": bytes.__contains__,
    "glob": fnmatch.fnmatchcase,
}
WATCHED: list[Rule] = [(kind, text.encode()) for kind, text in rules()]
PROCESSED = 100_000
"""What the verifier may look at: far below its million, on every kernel."""


def judged(those: Sequence[Rule], path: bytes) -> int:
    return sum(JUDGES[kind](path, text) << bit for bit, (kind, text) in enumerate(those))


def made(those: Sequence[Rule]) -> list[Pattern]:
    return [getattr(kinds, kind)(text) for kind, text in those]


@pytest.fixture(scope="module")
def live() -> Iterator[Live]:
    with skep.load(match_path, attach=False) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def watching(live: Live) -> Matcher:
    """The two hundred patterns, in the tables until another test puts others there."""
    return Matcher(live, watched())


def piece(text: bytes) -> bytes:
    """What a pattern takes."""
    return re.sub(rb"\[(.).*?\]", rb"\1", text.replace(b"*", b"x").replace(b"?", b"5"))


def paths(rng: random.Random, those: Sequence[Rule], count: int) -> Iterator[bytes]:
    """A path for each pattern, then some made of pieces of several, of which some are as long as a path can be."""
    pieces = [piece(text) for _, text in those]
    yield from pieces
    for number in range(count):
        joined = b"".join(rng.choices([*pieces, b"/", b"a", b"."], k=rng.choice((0, 1, 2, 4, 8))))
        yield (joined * PATH)[:PATH] if number % 20 == 0 else joined[:PATH]


def test_two_hundred_patterns_match_as_python_says(watching: Matcher) -> None:
    rng = random.Random(1)
    asked = list(paths(rng, WATCHED, 200))
    wanted = [judged(WATCHED, path) for path in asked]
    assert [watching.match(path) for path in asked] == wanted
    found = 0
    for mask in wanted:
        found |= mask
    assert found == (1 << 200) - 1
    assert max(map(len, asked)) == PATH


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 63, 64, 65, PATH - 8, PATH - 1, PATH])
def test_a_path_is_walked_to_its_last_byte_and_no_further(live: Live, length: int) -> None:
    rules = [("suffix", b"b"), ("glob", b"*b"), ("contains", b"b"), ("prefix", b"a"), ("glob", b"")]
    matcher = Matcher(live, made(rules))
    matcher.match(b"b" * PATH)
    for path in (b"a" * length, (b"a" * length)[:-1] + b"b" * bool(length)):
        assert matcher.match(path) == judged(rules, path)


@pytest.mark.parametrize("seed", range(20))
def test_random_patterns_match_as_python_says(live: Live, seed: int) -> None:
    rng = random.Random(seed)
    rules = [
        (rng.choice(sorted(JUDGES)), bytes(rng.choices(b"aab/.**?[]!-\xff", k=rng.randrange(6))))
        for _ in range(rng.choice((1, 3, 6)))
    ]
    matcher = Matcher(live, made(rules))
    for _ in range(50):
        path = bytes(rng.choices(b"ab/.\xff", k=rng.choice((0, 1, 3, 9, 17))))
        assert matcher.match(path) == judged(rules, path)


def test_the_last_of_256_patterns_has_the_last_bit(live: Live) -> None:
    rules = [("suffix", b"/%d" % number) for number in range(256)]
    matcher = Matcher(live, made(rules))
    assert [matcher.match(b"/x/%d" % number) for number in range(256)] == [
        1 << number for number in range(256)
    ]


def test_a_path_that_is_too_long_is_refused(live: Live) -> None:
    matcher = Matcher(live, made([("prefix", b"/")]))
    with pytest.raises(BadInput, match=r"path: it has 4,097 bytes; 4,096 are the most"):
        matcher.match(b"/" * (PATH + 1))


def test_the_verifier_has_little_to_look_at(live: Live) -> None:
    found = verdict(live.programs[match_path.name])
    assert 0 < found.processed < PROCESSED
