from bench.sides import in_turns


def test_sides_run_in_turns_and_the_first_round_is_left_out() -> None:
    calls: list[tuple[str, int]] = []
    times = iter([900, 800, 10, 30, 20, 31, 12, 99])

    def side(name: str) -> int:
        calls.append((name, 7))
        return next(times)

    runs = [lambda _: side("ours"), lambda _: side("theirs")]
    assert in_turns(runs, rounds=3, times=7) == [12, 31]
    assert [name for name, _ in calls] == ["ours", "theirs"] * 4
