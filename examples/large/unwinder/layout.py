"""Tables as the kernel half has them: numbered rules, and rows in pages of 64 KiB of addresses. Plain values."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from examples.large.unwinder.rules import UNKNOWN
from examples.large.unwinder.state import PAGE_BITS, ROWS, RULES, Page, PageKey, Row, Rule
from examples.large.unwinder.table import Table

Rows = np.ndarray[Any, np.dtype[Any]]
"""Rows of the dtype of ``Row``."""


class Numbers:
    """Rules by number, each once, of all files. Where there are too many, a rule is that of number 0: unknown."""

    def __init__(self) -> None:
        self.known = {UNKNOWN: 0}
        self._new: list[tuple[int, Rule]] = []

    def taken(self) -> list[tuple[int, Rule]]:
        """Numbers and rules that are new since the last call."""
        new, self._new = self._new, []
        return new

    def of(self, rules: Sequence[Rule]) -> list[int]:
        """Their numbers."""
        each = {id(rule): rule for rule in rules}  # equal ones of a table are one object
        numbers = {key: self._number(rule) for key, rule in each.items()}
        return [numbers[id(rule)] for rule in rules]

    def _number(self, rule: Rule) -> int:
        if rule not in self.known and len(self.known) < RULES:
            self._new.append((len(self.known), rule))
            self.known[rule] = len(self.known)
        return self.known.get(rule, 0)


def pages(table: Table, numbers: Numbers) -> Iterator[tuple[int, Rows]]:
    """The rows of each page that has any code; the first row of a page is of its first byte.

    A page of more rows than a slab takes has only its first ones, the rest is unknown.
    """
    addresses = np.array(table.addresses, np.uint64)
    rules = np.array(numbers.of(table.rules), np.uint16)
    if not len(addresses):
        return
    first, last = int(addresses[0]) >> PAGE_BITS, int(addresses[-1]) >> PAGE_BITS
    starts = np.arange(first, last + 2, dtype=np.uint64) << np.uint64(PAGE_BITS)
    places = np.searchsorted(addresses, starts)
    for page, (begin, end) in enumerate(pairwise(places), first):
        before = rules[begin - 1] if begin else 0
        lows = addresses[begin:end].astype(np.uint16)
        rows = _rows(lows, rules[begin:end], before)
        yield page, rows


def _rows(lows: Rows, rules: Rows, before: int) -> Rows:
    opened = int(not len(lows) or lows[0] > 0)
    rows = np.empty(len(lows) + opened, Row.dtype)
    rows["low"][opened:], rows["rule"][opened:] = lows, rules
    if opened:
        rows[0] = (0, before)
    if len(rows) > ROWS:
        rows = rows[:ROWS]
        rows["rule"][-1] = 0
    return rows


class Slabs:
    """Rows of pages, packed into slabs: ``rows`` by the slab's number."""

    def __init__(self) -> None:
        self.rows: dict[int, Rows] = {}
        self._changed: set[int] = set()
        self._users: dict[int, set[int]] = {}
        self._open, self._used = -1, ROWS

    def place(self, file: int, rows: Rows) -> Page:
        """Put the rows of a page of a file somewhere."""
        if self._used + len(rows) > ROWS:
            self._open = next(n for n in range(len(self.rows) + 1) if n not in self.rows)
            self._used = 0
            self.rows[self._open] = np.zeros(ROWS, Row.dtype)
            self._users[self._open] = set()
        page = Page(self._open, self._used, len(rows))
        self.rows[self._open][self._used : self._used + len(rows)] = rows
        self._used += len(rows)
        self._users[self._open].add(file)
        self._changed.add(self._open)
        return page

    def taken(self) -> list[int]:
        """Slabs that were changed since the last call."""
        changed, self._changed = sorted(self._changed), set()
        return changed

    def drop(self, file: int) -> list[int]:
        """Forget a file; the slabs that no file uses any more, which are forgotten too."""
        for users in self._users.values():
            users.discard(file)
        free = [number for number, users in self._users.items() if not users]
        for number in free:
            del self.rows[number], self._users[number]
            self._changed.discard(number)
            if number == self._open:
                self._used = ROWS
        return free


def keyed(file: int, placed: Iterable[tuple[int, Page]]) -> dict[PageKey, Page]:
    """Entries of ``pages`` of a file."""
    return {PageKey(file, number): page for number, page in placed}
