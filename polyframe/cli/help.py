"""Format the help: examples, options grouped by topic, commands in the order of work."""

import os
from collections.abc import Callable, Sequence
from typing import Any, Final

import click

from polyframe.cli.invocation import begin, current
from polyframe.core.environment import environment_notes
from polyframe.core.errors import UsageError
from polyframe.core.settings import Settings
from polyframe.core.suggestions import nearest

#: Longest line of an example; fits terminals of 80 columns after indentation.
_WIDEST: Final = 76


class TopicOption(click.Option):
    """An option that the help lists under a topic."""

    def __init__(self, *arguments: Any, topic: str | None = None, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.topic = topic


class SettingOption(TopicOption):
    """An option for a setting, which an environment variable can set too."""

    def value_from_envvar(self, ctx: click.Context) -> Any:
        """Return the value of the variable; commas separate the values of a repeatable option."""
        value = self.resolve_envvar_value(ctx)
        if value is None or not self.multiple:
            return value
        return [item.strip() for item in value.split(",") if item.strip()]

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        """Convert a value; if it comes from the environment, an error names the variable."""
        value = super().process_value(ctx, value)
        if self.is_from_environment(ctx) and value is not None:
            try:
                Settings().replace({str(self.name): value})
            except UsageError as error:
                raise UsageError(f"{self.envvar}: {error}") from None
        return value

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """Return the name of the option for errors, or of the variable if the value comes from there."""
        is_variable = ctx is not None and self.is_from_environment(ctx)
        return f"'{self.envvar}'" if is_variable else super().get_error_hint(ctx)

    def is_from_environment(self, ctx: click.Context) -> bool:
        """Return whether the value of this option comes from its variable."""
        return ctx.get_parameter_source(str(self.name)) is click.core.ParameterSource.ENVIRONMENT


class Command(click.Command):
    """A command whose help lists its options by topic and shows examples."""

    def __init__(self, *arguments: Any, examples: Sequence[str] = (), **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.examples = tuple(examples)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse arguments; add the command to errors, which Click omits if a value is missing."""
        begin(str(ctx.info_name), args)
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; if it has settings, prepare notes about environment variables."""
        options = self._setting_options(ctx)
        if options:
            used = [str(option.envvar) for option in options if option.is_from_environment(ctx)]
            current().variables = environment_notes(used, os.environ)
        return super().invoke(ctx)

    def _setting_options(self, ctx: click.Context) -> list[SettingOption]:
        return [option for option in self.get_params(ctx) if isinstance(option, SettingOption)]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, those without a topic first."""
        topics: dict[str, list[tuple[str, str]]] = {"Options": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                topic = getattr(parameter, "topic", None) or "Options"
                topics.setdefault(topic, []).append(record)
        for topic, records in topics.items():
            with formatter.section(topic):
                formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, ready to paste into a shell."""
        super().format_epilog(ctx, formatter)
        if options := self._setting_options(ctx):
            option = next((option for option in options if option.name == "eps"), options[0])
            with formatter.section("Environment"):
                text = (
                    f"instead of {option.opts[0]}, and so on for the options of all settings. Options "
                    "override variables, and variables override the configuration."
                )
                formatter.write_dl([(str(option.envvar), text)])
        if self.examples:
            with formatter.section("Examples" if len(self.examples) > 1 else "Example"):
                for example in self.examples:
                    formatter.write("".join(f"  {line}\n" for line in wrap_example(example)))


class Group(click.Group):
    """Commands under headings, in the order in which they were added."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.headings: dict[str, list[str]] = {}

    def add(self, heading: str, *commands: click.Command) -> None:
        """Add commands under a heading."""
        for command in commands:
            self.add_command(command)
            self.headings.setdefault(heading, []).append(str(command.name))

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands in the order in which they were added."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands under their headings."""
        longest = max(map(len, self.commands))
        width = formatter.width - longest - 6
        for heading, names in self.headings.items():
            with formatter.section(heading):
                formatter.write_dl(
                    # Pad the names, so that all sections align.
                    [(name.ljust(longest), self.commands[name].get_short_help_str(width)) for name in names]
                )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command; an error suggests the nearest name."""
        if not ctx.resilient_parsing and args[0] not in self.commands and not args[0].startswith("-"):
            raise click.UsageError(f"no command {args[0]!r}{nearest(args[0], self.commands)}")
        return super().resolve_command(ctx, args)


def command(*examples: str, **settings: Any) -> Callable[[Callable[..., Any]], Command]:
    """Turn a function into a command, like `click.command`.

    Parameters
    ----------
    *examples : str
        Calls such as `polyframe status out`. They must work in a checkout, on `data/` and on the directory
        `out` that the first example of `polyframe run` writes; a test runs each of them.
    **settings
        Passed to `click.command`.
    """
    return click.command(cls=Command, examples=examples, **settings)


def wrap_example(example: str) -> list[str]:
    """Split a long example into lines before its flags, with backslashes for the shell."""
    lines = [""]
    for word in example.replace(" -", "\n-").split("\n"):
        if lines[-1] and len(lines[-1]) + len(word) > _WIDEST - 2:
            lines[-1] += " \\"
            lines.append(f"    {word}")
        else:
            lines[-1] += f" {word}" if lines[-1] else word
    return lines


def error_message(error: click.ClickException) -> str:
    """Return what is wrong with a call, followed by an example or by the command that shows the help."""
    message = error.format_message().rstrip(".")
    ctx = getattr(error, "ctx", None)
    if ctx is None or "?" in message:
        return message
    examples = getattr(ctx.command, "examples", ())
    if isinstance(error, click.MissingParameter) and examples:
        return f"{message}; for example: {examples[0]}"
    return f"{message}; see `{ctx.command_path} --help`"
