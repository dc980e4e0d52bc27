"""The command `polyframe completion`, and what the shell is to complete where click cannot know."""

from typing import TYPE_CHECKING, Any, Final

import click

from polyframe.cli.help import command

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

#: In this environment variable the shell asks, and `click` answers before anything else is done.
VARIABLE: Final = "_POLYFRAME_COMPLETE"

_HELP: Final = """Print a script that makes a shell complete commands, flags, their values, and files.

Put it where the shell finds it (make the folder with mkdir -p), then open a new shell.

\b
bash 4.4 or newer, with the package bash-completion:
  polyframe completion bash \\
      > ~/.local/share/bash-completion/completions/polyframe
bash without that package, as a line of ~/.bashrc:
  eval "$(polyframe completion bash)"
zsh, with fpath+=~/.zfunc before compinit in ~/.zshrc:
  polyframe completion zsh > ~/.zfunc/_polyframe
fish:
  polyframe completion fish > ~/.config/fish/completions/polyframe.fish
"""


def folders(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """Let the shell complete the names of folders; the `shell_complete` of a parameter."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="dir")]


@command(
    "polyframe completion bash",
    help=_HELP,
    short_help="Print what makes a shell complete commands and flags.",
)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script with which a shell asks for what it completes."""
    from click.shell_completion import get_completion_class

    root: Any = ctx.find_root()
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(root.command, {}, "polyframe", VARIABLE).source())
