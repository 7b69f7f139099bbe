"""Why no event is shown: a word for a person, aside. An agent that gives no answer is no error of this."""

from contextlib import suppress

from skep.api.client import Client
from skep.api.query import Query
from skep.base.errors import SkepError
from skep.base.units import count_text


def uncollected(client: Client, choice: Query) -> str:
    """Which of the kinds that are asked for never come from this agent; "" where all may."""
    with suppress(SkepError):
        collected = client.summary().get("events", {}) if choice.kinds else {}
        if missing := sorted(choice.kinds - set(collected)):
            return (
                f"this agent does not collect {', '.join(missing)}; its settings and --only choose"
            )
    return ""


def nothing(client: Client, choice: Query) -> str:
    """Why no stored event was shown; "" where none was asked for."""
    if choice.last == 0:
        return ""
    if text := uncollected(client, choice):
        return text
    with suppress(SkepError):
        stored = int(client.status().get("store", {}).get("events", 0))
        fits = f"none of the {count_text(stored)} stored fits" if stored else "none is stored"
        return f"no event: {fits}; --follow waits for those to come"
    return ""
