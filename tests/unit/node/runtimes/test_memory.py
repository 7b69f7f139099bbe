"""What is remembered of containers, and when an unknown one is asked for again."""

from skep.model.container import Container
from skep.node.runtimes.memory import REST, RETRIES, Memory


def test_an_answer_is_kept() -> None:
    memory = Memory()
    assert memory.known("a") is None
    memory.learned(Container("a", "docker"))
    assert memory.known("a") == Container("a", "docker")


def test_an_unknown_one_is_asked_for_soon_then_rarely_then_anew() -> None:
    memory = Memory()
    now, waits = 0.0, []
    assert memory.due("a", now)
    while (wait := memory.missed("a", now)) is not None:
        waits.append(wait)
        assert not memory.due("a", now + wait - 0.01)
        now += wait
        assert memory.due("a", now)
    assert tuple(waits) == RETRIES
    assert not memory.due("a", now + REST - 1)
    assert memory.due("a", now + REST)
    assert memory.missed("a", now + REST) == RETRIES[0]


def test_an_answer_ends_the_misses() -> None:
    memory = Memory()
    memory.missed("a", 0.0)
    memory.learned(Container("a", "docker"))
    assert memory.due("a", 0.0)


def test_both_are_bounded_and_the_oldest_go() -> None:
    memory = Memory(answers=3, misses=3)
    for name in "abcde":
        memory.learned(Container(name, "docker"))
        memory.missed(name + name, 0.0)
    assert [memory.known(name) is not None for name in "abcde"] == [False, False, True, True, True]
    assert [memory.due(name + name, 0.0) for name in "abcde"] == [True, True, False, False, False]
