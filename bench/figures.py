"""Figures, their goals, and the two forms in which they are told: a table for people, one line of JSON for programs.

Values only. The names and goals are fixed, so that a figure can be followed over the years; a goal is a ceiling unless
``at_least`` says that it is a floor. Missing a goal is shown and is no error.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure is to reach."""

    value: float
    at_least: bool = False

    def met(self, value: float) -> bool:
        """Whether ``value`` reaches it."""
        return value >= self.value if self.at_least else value <= self.value

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {_number(self.value)}"


GOALS = {
    "codegen.insns_median": Goal(1.02),
    "codegen.insns_worst": Goal(1.15),
    "codegen.ns_median": Goal(1.01),
    "compile.warm_ms": Goal(20),
    "compile.unchanged_ms": Goal(3),
    "compile.hundred_cached_s": Goal(0.7),
    "peers.vs_bpftrace": Goal(0.6),
    "large.states_vs_clang": Goal(1.25),
    "large.ns_vs_clang": Goal(1.10),
    "large.matcher_ns": Goal(250),
    "start.cached_s": Goal(0.20),
    "start.cached_pss_mb": Goal(40),
    "start.cold_s": Goal(0.6),
    "drain.ns_per_record": Goal(40),
    "drain.lost": Goal(0),
    "syscalls.reject_ns": Goal(35),
    "syscalls.count_ns": Goal(45),
    "syscalls.count_vs_bpftrace": Goal(0.6),
    "node.live_s": Goal(1.5),
    "node.pss_mb": Goal(120),
    "node.kernel_mb": Goal(128),
    "node.idle_core_percent": Goal(0.7),
    "node.exec_rate_kept": Goal(0.90, at_least=True),
    "node.unaccounted_losses": Goal(0),
    "node.growth_mb": Goal(5),
}


class Against(TypedDict):
    """The JSON form of what a figure is measured against."""

    name: str
    value: float | None


class Form(TypedDict):
    """The JSON form of a figure."""

    value: float
    unit: str
    against: Against


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value and what it is measured against: a peer or a limit, None where that has no number."""

    value: float
    unit: str
    against: str
    peer: float | None = None

    @classmethod
    def of(cls, form: Form) -> "Figure":
        """A figure from its JSON form."""
        return cls(form["value"], form["unit"], form["against"]["name"], form["against"]["value"])

    def form(self) -> Form:
        """The JSON form."""
        against = Against(name=self.against, value=self.peer)
        return Form(value=self.value, unit=self.unit, against=against)


def line(name: str, figures: Mapping[str, Figure]) -> str:
    """The line of JSON that ends a bench's output."""
    forms = {key: figure.form() for key, figure in figures.items()}
    return json.dumps({"bench": name, "figures": forms})


def table(figures: Mapping[str, Figure]) -> str:
    """The same for people: one row a figure."""
    rows = [["figure", "value", "unit", "goal", "", "against", "value"]]
    rows += [_row(name, figure) for name, figure in figures.items()]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _row(name: str, figure: Figure) -> list[str]:
    goal = GOALS.get(name)
    verdict = "" if goal is None else "met" if goal.met(figure.value) else "missed"
    peer = "-" if figure.peer is None else _number(figure.peer)
    wanted = "-" if goal is None else str(goal)
    return [name, _number(figure.value), figure.unit, wanted, verdict, figure.against, peer]


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:.3g}"
