"""The places outside the key folder that this installation keeps keys in: tokens, and whatever a plug-in opens."""

import tomllib
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from threading import Lock
from typing import Any

from credential.errors import ConfigError
from keys.entry import IN_FILE
from keys.places import GROUP, KeyPlace
from service.settings import Settings

IN_TOKEN = "pkcs11"  # noqa: S105 - the name of a place

PlugIn = Callable[[Mapping[str, Any]], KeyPlace]
"""What an entry point of the group names: takes its table of the settings, gives the place."""


class UnknownPlace(ConfigError):
    """A key is kept in a place that no installed plug-in opens."""

    code = "unknown-key-place"

    def __init__(self, name: str, known: list[str]) -> None:
        listed = ", ".join(known)
        super().__init__(
            f"no installed plug-in keeps keys in {name!r}; known are {listed}; install the one for it (docs/keys.md)",
            f"没有安装可使用“{name}”的密钥插件; 现有: {listed}; 请安装相应插件(见 docs/keys.md)",
        )
        self.name = name


class BadPlugIn(ConfigError):
    """A plug-in is not what docs/keys.md asks for, or two have one name."""

    code = "bad-key-plug-in"

    def __init__(self, name: str, why_en: str, why_zh: str) -> None:
        super().__init__(
            f"the key plug-in {name!r} cannot be used: {why_en}; see docs/keys.md",
            f"密钥插件“{name}”不可用: {why_zh}; 请见 docs/keys.md",
        )
        self.name = name


class BadPlacesFile(ConfigError):
    """The file with the settings of the plug-ins cannot be read as what it has to be."""

    code = "bad-key-places-file"

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"{path} is not a TOML file with one table for each key plug-in ({why}); correct YINZHENG_KEY_PLACES_FILE",
            f"{path} 不是按插件分表的 TOML 文件({why}); 请改正 YINZHENG_KEY_PLACES_FILE",
        )
        self.path = path


class KeyPlaces:
    """Opens each place when it is first asked for, once a process; see ``keys.places.Places``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opened: dict[str, KeyPlace] = {}
        self._opening = Lock()

    def __call__(self, name: str) -> KeyPlace:
        """Give a place by its name.

        Raises:
            UnknownPlace: nothing that is installed has that name.
            BadPlugIn: the plug-in is not what it has to be.
            BadPlacesFile: its settings cannot be read.
        """
        with self._opening:
            if name not in self._opened:
                self._opened[name] = self._open(name)
            return self._opened[name]

    def _open(self, name: str) -> KeyPlace:
        settings = self._settings
        if name == IN_TOKEN:
            # Most installations have no token, and every command would wait for the library.
            from keys.pkcs11_signer import TokenPlace  # noqa: PLC0415 - see above

            return TokenPlace(settings.pkcs11_module, settings.pkcs11_token, settings.pkcs11_pin_file)
        found = [one for one in entry_points(group=GROUP) if one.name == name]
        if not found:
            raise UnknownPlace(name, place_names())
        if len(found) > 1 or name == IN_FILE:
            raise BadPlugIn(name, "several have that name, or it means something else", "名称重复或已有其他含义")
        return _made(found[0], _options(settings.key_places_file, name))


def place_names() -> list[str]:
    """Every place that keys may be made in here: files, tokens, and what plug-ins are installed."""
    return [IN_FILE, IN_TOKEN, *sorted({one.name for one in entry_points(group=GROUP)} - {IN_FILE, IN_TOKEN})]


def _made(found: EntryPoint, options: Mapping[str, Any]) -> KeyPlace:
    try:
        plug_in = found.load()
    except (ImportError, AttributeError) as error:
        raise BadPlugIn(found.name, str(error), str(error)) from error
    place: Any = plug_in(options) if callable(plug_in) else None
    if not all(callable(getattr(place, method, None)) for method in ("create", "open")):
        raise BadPlugIn(found.name, "it gives nothing with create and open", "它没有提供 create 和 open 方法")
    made: KeyPlace = place
    return made


def _options(path: Path | None, name: str) -> Mapping[str, Any]:
    if path is None:
        return {}
    try:
        options = tomllib.loads(path.read_text(encoding="utf-8")).get(name, {})
    except (OSError, ValueError) as error:
        raise BadPlacesFile(path, str(error)) from error
    if not isinstance(options, dict):
        raise BadPlacesFile(path, f"{name} is no table")
    return options
