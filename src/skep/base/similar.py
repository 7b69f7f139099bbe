"""Did you mean: the nearest of some words, for error texts. Pure."""

from collections.abc import Iterable

from skep.base.lazy import lazy

difflib = lazy("difflib")


def similar(word: str, choices: Iterable[str]) -> str | None:
    """The choice that resembles ``word`` most, None where none does."""
    known = {choice.lower(): choice for choice in choices}
    near = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return known[near[0]] if near else None
