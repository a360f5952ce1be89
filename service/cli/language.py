"""Chinese or English: chosen once at start by setting or locale, Chinese when neither says."""

from collections.abc import Mapping

from credential.errors import Error

_chosen = "zh"


def choose_language(setting: str, environ: Mapping[str, str]) -> str:
    """Choose ``zh`` or ``en`` and remember it for :func:`say`.

    A locale of ``C`` or ``POSIX``, as servers and containers have, says nothing
    about the reader, so it gives Chinese.
    """
    global _chosen  # noqa: PLW0603 - one process speaks one language
    locale = setting or next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "")
    plain = locale.lower().split(".")[0]
    _chosen = "zh" if plain in {"", "c", "posix"} or plain.startswith("zh") else "en"
    return _chosen


def language() -> str:
    """The language chosen."""
    return _chosen


def say(zh: str, en: str) -> str:
    """Pick the sentence in the chosen language."""
    return zh if _chosen == "zh" else en


def sentence(error: Error) -> str:
    """An error's sentence in the chosen language."""
    return say(error.zh, error.en)
