"""A group whose usual command needs no name: ``yinzheng backup DEST`` beside ``yinzheng backup verify DEST``."""

from typing import Any

import typer
from typer.core import TyperGroup

USUAL = "run"


class WithUsualCommand(TyperGroup):
    """Runs the command named ``run`` when what comes first is the name of no command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the name in front where it is left out; a bare ``--help`` is the group's."""
        if args and args[0] not in self.commands and args[0] != "--help":
            args = [USUAL, *args]
        return super().parse_args(ctx, args)


def group(text: str) -> typer.Typer:
    """Make such a group."""
    return typer.Typer(help=text, no_args_is_help=True, cls=WithUsualCommand)
