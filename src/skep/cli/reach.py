"""Reaching an agent: where its instance lives, a client of it, and the kinds of events to ask for."""

import click
from click.shell_completion import CompletionItem

from skep.api.client import Client
from skep.api.query import parse_kinds
from skep.base import config
from skep.base.errors import BadInput
from skep.base.paths import Paths, check_instance, instance_paths
from skep.cli.options import told

ALL_KINDS = ", ".join(config.EVENT_KINDS)
"""For help texts."""


class Kinds(click.ParamType[frozenset[str]]):
    """``exec,exit``: kinds of events."""

    name = "kind,..."

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> frozenset[str]:
        """The set of the names."""
        if isinstance(value, frozenset):
            return value
        try:
            return frozenset(parse_kinds("kind", str(value)))
        except BadInput as error:
            self.fail(told(error), param, ctx)

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        param: click.Parameter,  # noqa: ARG002 - click's signature
        incomplete: str,
    ) -> list[CompletionItem]:
        """The kinds that may stand behind the last comma."""
        head, comma, begun = incomplete.rpartition(",")
        fitting = [kind for kind in config.EVENT_KINDS if kind.startswith(begun)]
        return [CompletionItem(f"{head}{comma}{kind}") for kind in fitting]


def paths(instance: str | None, file: str = "") -> Paths:
    """Where the instance lives: the option, else SKEP_INSTANCE, else the configuration, else "default"."""
    environment = config.environment()
    name = config.load(file, environment).instance if instance is None else instance
    return instance_paths(check_instance(name, "--instance"), environment.cache)


def client(instance: str | None) -> Client:
    """A client of the instance's agent."""
    return Client(paths(instance).agent_socket)
