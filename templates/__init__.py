"""Where the data of certificates lies: templates, fonts, sample sheets, web pages; the only door to this folder."""

from pathlib import Path

from credential.errors import ConfigError, InputError

_HERE = Path(__file__).resolve().parent


class UnknownTemplate(InputError):
    """No bundled certificate template has this name."""

    code = "unknown-template"

    def __init__(self, name: str, names: tuple[str, ...]) -> None:
        known = ", ".join(names) or "-"
        super().__init__(
            f"there is no certificate template {name!r}, only: {known}",
            f"没有名为“{name}”的证书模板,现有: {known}",
        )
        self.name = name


class MissingBundle(ConfigError):
    """A folder that comes with the program is not there."""

    code = "missing-bundle"

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"the folder {folder} of the program is missing; install it again",
            f"程序自带的文件夹 {folder} 不存在,请重新安装",
        )
        self.folder = folder


def certificate_names() -> tuple[str, ...]:
    """List the bundled certificate templates, sorted: folders that hold a ``template.toml``."""
    found = _bundled("certificate").glob("*/template.toml")
    return tuple(sorted(file.parent.name for file in found))


def certificate_folder(name: str) -> Path:
    """Find the folder of a bundled certificate template by its name.

    Raises:
        UnknownTemplate: none has this name; names that would lead out of the
            folder are unknown too.
    """
    names = certificate_names()
    if name not in names:
        raise UnknownTemplate(name, names)
    return _bundled("certificate") / name


def fonts_folder() -> Path:
    """Find the folder of the pinned fonts, ``*.ttf.xz`` beside their ``SHA256SUMS``."""
    return _bundled("fonts")


def sample_folder() -> Path:
    """Find the folder of the sample sheet and photos; every person in them is invented."""
    return _bundled("sample")


def pages_folder() -> Path:
    """Find the folder of the web pages, Jinja2 templates."""
    return _bundled("pages")


def static_folder() -> Path:
    """Find the folder of what the web pages load: style sheet, scripts, icon."""
    return _bundled("static")


def _bundled(name: str) -> Path:
    folder = _HERE / name
    if not folder.is_dir():
        raise MissingBundle(folder)
    return folder
