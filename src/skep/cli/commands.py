"""The commands of skep as a table, and a click group that imports a command when it is used.

``skep --version`` and ``skep --help`` import none of them: name and short help stand here.
"""

import importlib

import click

from skep.base.similar import similar

COMMANDS: dict[str, str] = {
    "up": "Start the agent and show this node, live.",
    "status": "Show what the running agent does.",
    "events": "Show events of the running agent.",
    "features": "Show what this kernel offers, probed.",
    "down": "End the agent; remove what it left.",
    "run": "Run a Python file's programs in the kernel.",
    "check": "Compile and verify a file, attach nothing.",
    "disasm": "Show a program's instructions and lines.",
    "prog": "List this machine's programs, and who holds them.",
    "map": "List this machine's maps, or show one's entries.",
    "link": "List what is attached, and to what.",
    "reload": "Have the agent read its configuration again.",
    "agent": "Run the agent alone, as a service does.",
    "completion": "Print a completion script for a shell.",
}


class Commands(click.Group):
    """The group of ``COMMANDS``; a command lies in the module of its name, as ``command``."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """In the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        found = importlib.import_module(f"skep.cli.{cmd_name}_command").command
        return found if isinstance(found, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """From the table, without an import."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does; an unknown command is answered with the nearest."""
        name = args[0] if args else ""
        if args and not name.startswith("-") and name not in COMMANDS:
            near = similar(name, COMMANDS)
            hint = f"did you mean {near!r}?" if near else f"there are {', '.join(COMMANDS)}"
            ctx.fail(f"there is no command {name!r}; {hint}")
        return super().resolve_command(ctx, args)


def examples(*lines: str) -> str:
    """An epilog: examples of a command, shown below its help as they are."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
