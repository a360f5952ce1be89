"""The words beside a verdict: what a change is called, what only experts read, what advice points to."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from credential.model import State
from credential.ports import Change, Link
from credential.reasons import CHANGE_NAMES
from tests.asgi_client import Client
from tests.verifier.gallery import SUMMARY, gallery_code
from tests.verifier.test_pages import Text, client_of
from verifier.verdict import Verdict


@pytest.fixture(scope="module")
def client() -> Client:
    return client_of()[0]


def test_a_reason_is_told_in_no_language(client: Client) -> None:
    page = client.get(f"/c/{gallery_code('revoked')}").text

    assert "决定日期 2026年03月01日" in Text(page).seen
    assert not [words for words in CHANGE_NAMES.values() if words[0] in page]
    assert "弄虚作假" not in page


def corrected(reason: str, newer: Link) -> Callable[[Verdict], Verdict]:
    """A certificate whose place another took."""
    ended = Change(State.ENDED, date(2026, 3, 1), datetime(2026, 3, 5, 2, 0, tzinfo=UTC), reason)
    old = replace(SUMMARY, state=State.ENDED, superseded_by=newer)
    return lambda verdict: replace(verdict, credential=old, changes=(ended,))


def test_an_old_version_is_called_by_its_number_and_said_to_be_corrected() -> None:
    client, _ = client_of(corrected("clerical-error", Link(SUMMARY.serial, 2)))
    chinese = Text(client.get(f"/c/{gallery_code('superseded')}").text).seen
    english = Text(client.get(f"/c/{gallery_code('superseded')}?lang=en").text).seen

    assert "第1版" in chinese
    assert "更正（由同一编号的第2版替换）" in chinese
    assert "注销" not in before_the_details(chinese)
    assert "version 1" in english
    assert "Corrected: replaced by version 2 of the same serial" in english


def test_a_replaced_one_names_the_newer_serial_and_no_version() -> None:
    client, _ = client_of(corrected("renewed", Link("33029920261110000044", 1)))
    seen = Text(client.get(f"/c/{gallery_code('superseded')}").text).seen

    assert "换发（新证书编号 33029920261110000044）" in seen
    assert "第1版" not in seen


def before_the_details(seen: str) -> str:
    head, found, _ = seen.partition("逐项核验结果")
    assert found
    return head


def test_what_only_experts_read_stands_in_the_details(client: Client) -> None:
    seen = Text(client.get(f"/c/{gallery_code('revoked')}").text).seen
    head = before_the_details(seen)

    assert "状态更新于 2026-11-22 17:30:00" in head
    for words in ("登记状态", "透明日志", "状态列表"):
        assert words not in head
    assert "透明日志 未经见证" in seen
    assert "登记状态" in seen


def test_paper_that_agrees_is_green_beside_a_valid_verdict_only(client: Client) -> None:
    for reason, name in (("good", "agrees"), ("revoked", "agrees plain"), ("suspended", "agrees plain")):
        text = Text(client.get(f"/c/{gallery_code(reason)}").text)
        assert [value for tag, key, value in text.attributes if key == "class" and "agrees" in value] == [name]


def test_the_issuers_sentence_is_said_to_be_chinese(client: Client) -> None:
    page = client.get(f"/c/{gallery_code('good')}?lang=en").text

    assert '(Chinese): <span lang="zh-CN">任何再转换版本' in page.replace("&#39;", "'")
    assert "Chinese" not in client.get(f"/c/{gallery_code('good')}").text


@pytest.mark.parametrize("reason", ["altered", "copy"])
def test_advice_points_to_the_page_and_not_below_itself(client: Client, reason: str) -> None:
    seen = Text(client.get(f"/c/{gallery_code(reason)}").text).seen

    assert "本页所列登记信息" in seen
    assert "下列登记信息" not in seen
