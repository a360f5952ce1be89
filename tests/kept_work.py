"""What a process of tests works out once, as a process in use does: it opens hundreds of installations.

Each of them would compile the same SQL again, list the same commands, tabulate the same QR symbols and hold 35 MB
of fonts. What is kept depends on nothing but its arguments.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest
import typer.main
from sqlalchemy import Engine, create_engine
from sqlalchemy.util import LRUCache

from press.fonts import FontLibrary
from press.symbol import SymbolPress
from press.symbol_image import SymbolImage
from registry import engines

_STATEMENTS = 2_000


class _Compiled(LRUCache[Any, Any]):
    """Compiled statements of all engines of a kind; the first part of a key is the one engine's dialect."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(key[1:], default)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key[1:], value)


def keep_statements() -> None:
    """Let all engines of a kind share what they have compiled, for good."""
    compiled: dict[str, _Compiled] = {}

    def make_sharing(*arguments: Any, **named: Any) -> Engine:
        engine = create_engine(*arguments, **named)
        shared = compiled.setdefault(engine.dialect.name, _Compiled(_STATEMENTS))
        engine.update_execution_options(compiled_cache=shared)
        return engine

    pytest.MonkeyPatch().setattr(engines, "create_engine", make_sharing)


@contextmanager
def kept_press() -> Iterator[None]:
    """Share fonts, symbols and the list of commands between all installations while the block runs."""
    with pytest.MonkeyPatch.context() as doors:
        doors.setattr("service.checking.FontLibrary", lambda fonts, folder: _kept_fonts(fonts, folder.resolve()))
        doors.setattr("press.press.SymbolPress", _kept_symbols)
        doors.setattr("press.press.SymbolImage", _kept_image)
        doors.setattr("typer.main.get_command", _kept_commands)
        yield


_kept_commands = cache(typer.main.get_command)
_kept_fonts = cache(FontLibrary)
_kept_symbols = cache(SymbolPress)
_kept_image = cache(SymbolImage)
