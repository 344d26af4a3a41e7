"""A command that has commands: its help says of each what it does, in a whole sentence; Ctrl-C gets a sentence, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from typer._click import Context, HelpFormatter

WHOLE = 1_000
"""Characters of a sentence: none is cut, the formatter breaks lines."""


class Group(TyperGroup):
    """Lists its commands without cutting their sentences to one line, and says what Ctrl-C has left."""

    def invoke(self, ctx: Context) -> object:
        """Run the command that is asked for."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.secho("mrbench: interrupted; what was finished stays. Run the same command to go on.", err=True)
            raise typer.Exit(130) from None

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the list of commands."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        lines = [(name, one.get_short_help_str(WHOLE)) for name, one in commands.items() if one and not one.hidden]
        if lines:
            with formatter.section("Commands"):
                formatter.write_dl(lines)
