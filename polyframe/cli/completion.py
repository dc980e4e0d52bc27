"""Define the command `polyframe completion` and the completion of folders."""

from typing import TYPE_CHECKING, Any, Final

import click

from polyframe.cli.help import command

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

#: The environment variable in which a shell asks; Click answers before it runs a command.
VARIABLE: Final = "_POLYFRAME_COMPLETE"

_HELP: Final = """Print a script for shell completion of commands, options, their values and files.

Save it where the shell loads completions (create the folder with mkdir -p), then open a new shell.

\b
bash 4.4 or later, with the package bash-completion:
  polyframe completion bash \\
      > ~/.local/share/bash-completion/completions/polyframe
bash without that package, in ~/.bashrc:
  eval "$(polyframe completion bash)"
zsh, with fpath+=~/.zfunc before compinit in ~/.zshrc:
  polyframe completion zsh > ~/.zfunc/_polyframe
fish:
  polyframe completion fish > ~/.config/fish/completions/polyframe.fish
"""


def folders(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """Complete the names of folders; for the `shell_complete` of a parameter."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="dir")]


def files(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """Complete the names of files, for a parameter that accepts other values too."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def clusters(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Complete the addresses of clusters."""
    from polyframe.core.clusters import ADDRESSES

    return [address for address in ADDRESSES if address.startswith(incomplete)]


def gold(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """Complete the outlines of an expert: a file, or the rows that are marked as gold standard."""
    from click.shell_completion import CompletionItem

    word = "gold_standard"
    words = [CompletionItem(word)] if incomplete and word.startswith(incomplete) else []
    return [*words, CompletionItem(incomplete, type="file")]


@command(
    "polyframe completion bash",
    help=_HELP,
    short_help="Print a script for shell completion.",
)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell."""
    from click.shell_completion import get_completion_class

    root: Any = ctx.find_root()
    shell_class = get_completion_class(shell)
    assert shell_class is not None
    click.echo(shell_class(root.command, {}, "polyframe", VARIABLE).source())
