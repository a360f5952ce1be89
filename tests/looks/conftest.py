from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from press.fonts import FontLibrary
from tests.looks.printing import TEMPLATES, LooksPress, looks_template


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> FontLibrary:
    """The pinned fonts, unpacked once for all tests."""
    return FontLibrary(TEMPLATES.parent / "fonts", Path(tmp_path_factory.mktemp("fonts")))


@pytest.fixture(scope="session")
def press_of(library: FontLibrary) -> Callable[[str], LooksPress]:
    """The press of a template, made once."""
    return cache(lambda name: LooksPress(looks_template(name), library))
