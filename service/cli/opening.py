"""From a command's context to the settings and the opened house."""

from typing import cast

import typer

from service.house import House, open_house
from service.settings import Settings


def settings_of(context: typer.Context) -> Settings:
    """The settings of this run."""
    return cast("Settings", context.obj)


def house_of(context: typer.Context) -> House:
    """Open the data folder this run is about."""
    return open_house(settings_of(context))
