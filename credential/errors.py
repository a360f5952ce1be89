"""The root of all our errors and its four families, named by whose fault they are.

Error:
 ├─ InputError        the caller's file or field is bad
 ├─ RefusedError      a rule says no
 ├─ UnavailableError  a store or a service did not answer
 └─ ConfigError       found at start, with the cure

Every error carries a stable code for machines and one sentence in English and
in Chinese for people: lower case, no full stop, always with the value at fault.
"""

from typing import Any, ClassVar


class Error(Exception):
    """Something the program foresaw; never shown to people as a traceback.

    Attributes:
        code: stable, lower-case words with hyphens; part of the API.
        en: the sentence in English (also ``str(error)``).
        zh: the sentence in Chinese.
    """

    code: ClassVar[str] = "error"

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.en = en
        self.zh = zh

    def __reduce__(self) -> tuple[Any, ...]:
        # Subclasses build the sentences from other arguments; copies between processes keep the sentences.
        return _restore, (type(self), self.__dict__)


def _restore(kind: type[Error], state: dict[str, Any]) -> Error:
    error = kind.__new__(kind, state["en"])
    error.__dict__.update(state)
    return error


class InputError(Error):
    """The caller's file, field or argument is bad; the sentence names the cure."""

    code = "bad-input"


class RefusedError(Error):
    """A rule says no, though the input is well formed."""

    code = "refused"


class UnavailableError(Error):
    """A store or service did not answer; trying again later may help."""

    code = "unavailable"


class ConfigError(Error):
    """The settings or the data folder are not fit to start with."""

    code = "bad-configuration"
