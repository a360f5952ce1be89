"""What may be set, and that nothing else may."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.settings import PREFIX, BadSetting, Settings, UnknownSetting, read_settings
from tests.service.at_hand import run

KNOWN = {PREFIX + name.upper() for name in Settings.model_fields} | {"YINZHENG_PASSPHRASE", "YINZHENG_TEST_ALL"}


def test_defaults_need_nothing() -> None:
    settings = read_settings({})

    assert str(settings.data) == "data"
    assert settings.passphrase_file is None
    assert settings.workers == 0


@given(
    st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefg", min_size=1).filter(lambda name: PREFIX + name.upper() not in KNOWN)
)
def test_a_name_with_our_prefix_that_means_nothing_is_refused(name: str) -> None:
    with pytest.raises(UnknownSetting) as refused:
        read_settings({PREFIX + name: ""})

    assert PREFIX + name in refused.value.en
    assert PREFIX + name in refused.value.zh
    assert "YINZHENG_DATA" in refused.value.en  # the cure


def test_a_misspelt_name_is_answered_with_the_nearest_one_first() -> None:
    with pytest.raises(UnknownSetting) as refused:
        read_settings({"YINZHENG_DATABSE": ""})
    assert "did you mean YINZHENG_DATABASE?" in refused.value.en.partition("known are")[0]
    assert "是否应为 YINZHENG_DATABASE" in refused.value.zh


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_every_known_name_is_accepted(name: str) -> None:
    assert read_settings({name: "1"}) == read_settings({})  # only names are read from here


def test_names_of_others_are_none_of_our_business() -> None:
    assert read_settings({"PATH": "/bin", "XYINZHENG_OTHER": "1"}) == read_settings({})


@pytest.mark.parametrize(
    ("name", "value"),
    [("workers", "many"), ("workers", "-1"), ("workers", "257"), ("workers", "1.5"), ("lang", "fr"), ("lang", "ZH")],
)
def test_a_bad_value_is_told_with_its_name_and_itself(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PREFIX + name.upper(), value)

    with pytest.raises(BadSetting) as refused:
        read_settings()

    assert PREFIX + name.upper() in refused.value.en
    assert value in refused.value.zh
    why = refused.value.zh.partition("无效(")[2].partition(")")[0]
    assert any("\u4e00" <= character <= "\u9fff" for character in why)
    assert "Input" not in refused.value.zh


def test_what_is_given_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YINZHENG_WORKERS", "3")

    assert read_settings().workers == 3
    assert read_settings(workers=2).workers == 2
    assert read_settings(workers=None).workers == 3


@pytest.mark.parametrize(("lang", "word"), [("zh", "错误"), ("en", "error")])
def test_a_misspelt_variable_stops_the_command_line_in_the_language_chosen(lang: str, word: str) -> None:
    ran = run("--help", environ={"YINZHENG_PASPHRASE": "secret", "YINZHENG_LANG": lang})

    assert (ran.code, ran.error) == (2, "unknown-setting")
    assert ran.err.startswith(word)
    assert "YINZHENG_PASPHRASE" in ran.err
    assert "secret" not in ran.err


def test_a_bad_value_stops_the_command_line() -> None:
    ran = run("--help", environ={"YINZHENG_WORKERS": "many"})

    assert (ran.code, ran.error) == (2, "bad-setting")
