"""Did you mean."""

from skep.base.similar import similar


def test_the_nearest_word_is_found_without_regard_to_case() -> None:
    assert similar("metrcis", ["memory", "metrics"]) == "metrics"
    assert similar("SCHED_EXEC", ["sched_exec", "x"]) == "sched_exec"


def test_nothing_near_is_nothing() -> None:
    assert similar("zebra", ["memory", "metrics"]) is None
