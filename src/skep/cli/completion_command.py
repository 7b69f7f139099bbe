"""``skep completion``: the script that makes a shell complete commands and options."""

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from skep.cli.commands import examples

SHELLS: dict[str, type[ShellComplete]] = {
    "bash": BashComplete,
    "zsh": ZshComplete,
    "fish": FishComplete,
}


@click.command(
    epilog=examples(
        'eval "$(skep completion bash)"                     in ~/.bashrc',
        'eval "$(skep completion zsh)"                      in ~/.zshrc',
        "skep completion fish > ~/.config/fish/completions/skep.fish",
    )
)
@click.argument("shell", type=click.Choice(list(SHELLS)))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print a completion script for a shell."""
    click.echo(SHELLS[shell](context.find_root().command, {}, "skep", "_SKEP_COMPLETE").source())
