"""A key store with a cheap scrypt, the moment at which everything happens, and the pinned fonts."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from keys.pkcs8 import ScryptCost
from keys.store import KeyStore
from press.fonts import FontLibrary

CHEAP = ScryptCost(2, 8, 1)


@pytest.fixture
def cheap() -> ScryptCost:
    return CHEAP


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 7, 8, 1, 2, 3, 456, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def store(folder: Path) -> KeyStore:
    return KeyStore(folder, b"correct horse", cost=CHEAP)


@pytest.fixture(scope="session")
def library(unpacked_fonts: Path) -> FontLibrary:
    fonts = Path(__file__).resolve().parents[2] / "templates" / "fonts"
    return FontLibrary(fonts, unpacked_fonts)
