import ast
import json
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench.figures import GOALS, Figure, Goal, line, table

FIGURES = {
    "codegen": "insns_median insns_worst ns_median",
    "compile": "warm_ms unchanged_ms hundred_cached_s",
    "peers": "vs_bpftrace",
    "large": "states_vs_clang ns_vs_clang matcher_ns",
    "start": "cached_s cached_pss_mb cold_s",
    "drain": "ns_per_record lost",
    "syscalls": "reject_ns count_ns count_vs_bpftrace",
    "node": (
        "live_s pss_mb kernel_mb idle_core_percent exec_rate_kept unaccounted_losses growth_mb"
    ),
}
KEPT = Figure(0.93, "ratio", "without the agent", 3012.4)


def test_a_goal_is_a_ceiling_unless_it_is_a_floor() -> None:
    assert [Goal(40).met(v) for v in (39.9, 40, 40.1)] == [True, True, False]
    assert [Goal(0.9, at_least=True).met(v) for v in (0.89, 0.9, 1.0)] == [False, True, True]


def test_the_line_has_the_form_that_programs_read() -> None:
    lost = Figure(0, "records", "none")
    assert json.loads(line("node", {"node.exec_rate_kept": KEPT, "drain.lost": lost})) == {
        "bench": "node",
        "figures": {
            "node.exec_rate_kept": {
                "value": 0.93,
                "unit": "ratio",
                "against": {"name": "without the agent", "value": 3012.4},
            },
            "drain.lost": {
                "value": 0,
                "unit": "records",
                "against": {"name": "none", "value": None},
            },
        },
    }
    assert "\n" not in line("node", {"node.exec_rate_kept": KEPT})


def test_a_figure_is_read_back_from_its_form() -> None:
    assert Figure.of(KEPT.form()) == KEPT


def test_the_table_says_whether_a_goal_is_met() -> None:
    shown = table({"node.exec_rate_kept": KEPT, "node.live_s": Figure(2.0, "s", "none")})
    rows = [row.split() for row in shown.splitlines()]
    assert rows[1][:5] == ["node.exec_rate_kept", "0.93", "ratio", ">=", "0.9"]
    assert "met" in rows[1]
    assert "missed" in rows[2]


def test_a_figure_without_a_goal_has_neither() -> None:
    assert "met" not in table({"drain.other": Figure(1, "s", "x")}).split()


def test_the_figures_have_the_names_by_which_they_are_followed() -> None:
    assert " ".join(GOALS) == " ".join(
        f"{name}.{figure}" for name, figures in FIGURES.items() for figure in figures.split()
    )


@pytest.mark.parametrize("name", FIGURES)
def test_a_bench_measures_the_figures_of_its_name_and_no_others(name: str) -> None:
    tree = ast.parse((bench.FOLDER / f"{name}.py").read_text())
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    found = {text for text in texts if isinstance(text, str) and text.startswith(f"{name}.")}
    assert found == {f"{name}.{figure}" for figure in FIGURES[name].split()}


def test_the_benches_are_those_with_figures_and_one_that_only_tells() -> None:
    assert set(bench.benches()) == {*FIGURES, "who"}


def test_modules_that_measure_are_benches(tmp_path: Path) -> None:
    (tmp_path / "trial.py").write_text('"""Measures one thing."""\n\ndef measure(quick): ...\n')
    (tmp_path / "figures.py").write_text('"""No bench."""\n')
    assert bench.benches(tmp_path) == {"trial": "Measures one thing."}


def test_a_bench_ends_its_output_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    bench.show("node", {"node.exec_rate_kept": KEPT, "node.live_s": Figure(1, "s", "-").form()})
    last = capsys.readouterr().out.splitlines()[-1]
    assert list(json.loads(last)["figures"]) == ["node.exec_rate_kept", "node.live_s"]


def test_an_unknown_bench_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        bench.main(["nothing"])
    assert ended.value.code == 2
    assert "no bench 'nothing'" in capsys.readouterr().err


def test_the_list_is_printed_without_measuring(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--list"]) == 0
    assert [row.split()[0] for row in capsys.readouterr().out.splitlines()] == list(bench.benches())


def test_the_page_has_every_figure_with_its_goal() -> None:
    page = (bench.FOLDER.parent / "docs/benchmarks.md").read_text()
    goals, _, _ = page.partition("## Measured")
    rows = [row.split("|")[1:3] for row in goals.splitlines() if row.startswith("| `")]
    told: dict[str, str] = {}
    for names, limits in rows:
        pairs = zip(names.split(","), limits.split(","), strict=True)
        told |= {name.strip(" `"): goal.strip().replace("at least ", ">= ") for name, goal in pairs}
    assert told == {name: str(goal).removeprefix("<= ") for name, goal in GOALS.items()}
