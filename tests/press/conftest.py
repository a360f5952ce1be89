from pathlib import Path

import pytest

from press.fonts import FontLibrary

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def font_cache(unpacked_fonts: Path) -> Path:
    return unpacked_fonts


@pytest.fixture(scope="session")
def library(font_cache: Path) -> FontLibrary:
    """The pinned fonts, unpacked once for all tests."""
    return FontLibrary(ROOT / "templates" / "fonts", font_cache)
