"""Chinese or English, by setting, then by locale."""

from collections.abc import Iterator

import pytest

from credential.errors import InputError
from service.cli.language import choose_language, language, say, sentence


@pytest.fixture(autouse=True)
def _afterwards() -> Iterator[None]:
    before = language()
    yield
    choose_language(before, {})


@pytest.mark.parametrize(
    ("setting", "environ", "chosen"),
    [
        ("", {}, "zh"),
        ("", {"LANG": ""}, "zh"),
        ("", {"LANG": "C.UTF-8"}, "zh"),
        ("", {"LANG": "POSIX"}, "zh"),
        ("", {"LANG": "zh_CN.UTF-8"}, "zh"),
        ("", {"LANG": "zh_TW"}, "zh"),
        ("", {"LANG": "en_GB.UTF-8"}, "en"),
        ("", {"LANG": "de_DE.UTF-8"}, "en"),
        ("", {"LANG": "zh_CN.UTF-8", "LC_ALL": "en_US.UTF-8"}, "en"),
        ("", {"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_CN.UTF-8"}, "zh"),
        ("", {"LANG": "en_US.UTF-8", "LC_ALL": "", "LC_MESSAGES": ""}, "en"),
        ("zh", {"LC_ALL": "en_US.UTF-8"}, "zh"),
        ("en", {"LC_ALL": "zh_CN.UTF-8"}, "en"),
    ],
)
def test_setting_wins_over_locale_and_a_silent_locale_gives_chinese(
    setting: str, environ: dict[str, str], chosen: str
) -> None:
    assert choose_language(setting, environ) == chosen
    assert language() == chosen
    assert say("zh", "en") == chosen
    assert sentence(InputError("en", "zh")) == chosen
