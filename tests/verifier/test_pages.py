"""What the verdict pages say and never say, for every reason that a verification can end with."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from fastapi import Request

from credential.errors import UnavailableError
from service.assets import Assets
from service.rendering import Pages
from tests.asgi_client import Client
from tests.verifier.gallery import (
    CODE,
    HOST,
    SUMMARY,
    GalleryDesk,
    StillNotices,
    gallery_app,
    gallery_code,
    show_portrait,
    verdict_of,
)
from verifier.explaining import FACES, IssuerNotice, Tone
from verifier.reasons import REASONS, Word
from verifier.verdict import Verdict, WitnessCount

BROWSER = "text/html,application/xhtml+xml,*/*;q=0.8"


def client_of(change: Callable[[Verdict], Verdict] = lambda verdict: verdict) -> tuple[Client, GalleryDesk]:
    desk = GalleryDesk(change)
    return Client(gallery_app(desk), accept=BROWSER), desk


@pytest.fixture(scope="module")
def client() -> Client:
    return client_of()[0]


class Text(HTMLParser):
    """The words of a page that a person sees, and its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self._hidden = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self._hidden += tag in {"template", "title"}

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in {"template", "title"}

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)

    @property
    def seen(self) -> str:
        return " ".join(" ".join(self.words).split())


def banner(page: str) -> str:
    found = re.search(r'<div class="banner (\w+)" id="verdict">', page)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_is_told_in_word_sentence_colour_and_icon(client: Client, reason: str, lang: str) -> None:
    answer = client.get(f"/c/{gallery_code(reason)}?lang={lang}")
    why, text = REASONS[reason], Text(answer.text)
    face = FACES[why.word]

    assert answer.status_code == (503 if why.word is Word.UNAVAILABLE else 200)
    assert answer.headers["cache-control"] == "no-store"
    assert banner(answer.text) == face.tone
    assert face.zh in text.seen
    assert face.en in text.seen
    assert answer.text.count('<svg class="icon"') >= 1
    expected = why.en[:1].upper() + why.en[1:] if lang == "en" else re.split(r"[,;:()]", why.zh)[0]
    assert expected in text.seen
    assert f'<html lang="{"zh-CN" if lang == "zh" else "en"}">' in answer.text


def test_only_valid_is_green_and_what_could_not_be_told_is_never_an_accusation() -> None:
    assert [word for word, face in FACES.items() if face.tone is Tone.GOOD] == [Word.VALID]
    assert FACES[Word.UNAVAILABLE].tone is Tone.NEUTRAL
    assert {word for word, face in FACES.items() if face.tone is Tone.BAD} == {Word.REVOKED, Word.TAMPERED}
    assert len({face.icon for face in FACES.values()}) == len({face.zh for face in FACES.values()}) == len(Word)


def test_could_not_tell_says_when_to_come_back(client: Client) -> None:
    answer = client.get(f"/c/{gallery_code('register-unavailable')}")

    assert int(answer.headers["retry-after"]) > 0
    assert "这不说明证书是假的" in Text(answer.text).seen


def test_a_desk_that_cannot_answer_gives_a_page_that_accuses_nobody() -> None:
    class Busy(UnavailableError):
        code = "busy-of-tests"

        def __init__(self) -> None:
            super().__init__("too much at once", "请求过多")

    def fail(_verdict: Verdict) -> Verdict:
        raise Busy

    answer = client_of(fail)[0].get(f"/c/{CODE}")

    assert (answer.status_code, answer.headers["cache-control"]) == (503, "no-store")
    assert 'class="banner neutral"' in answer.text
    assert "这不说明任何证书是假的" in answer.text


def test_the_page_shows_who_what_and_when(client: Client) -> None:
    seen = Text(client.get(f"/c/{gallery_code('good')}").text).seen

    for words in ("张喆堃", "高级工程师", "副高级", "2026年06月30日", SUMMARY.serial, "示例市人力资源和社会保障局"):
        assert words in seen
    assert "2026-11-22 17:30:00（北京时间）" in seen
    assert "透明日志 未经见证" in seen
    assert "任何再转换版本均以扫码核验结果为准" in seen
    assert HOST in seen


@pytest.mark.parametrize(
    ("lang", "count", "words"),
    [
        ("zh", WitnessCount(2, 3, 1), "透明日志 已由 2 个见证方见证（共 3 个）"),
        ("en", WitnessCount(2, 3, 1), "Log Witnessed by 2 of 3"),
        ("zh", WitnessCount(0, 3, 0), "透明日志 未经见证"),
        ("en", WitnessCount(0, 0, 0), "Log Not witnessed"),
    ],
)
def test_the_page_says_how_many_witnesses_saw_the_log(lang: str, count: WitnessCount, words: str) -> None:
    client = client_of(lambda verdict: replace(verdict, witnesses=count))[0]

    assert words in Text(client.get(f"/c/{gallery_code('good')}?lang={lang}").text).seen


def test_a_page_on_which_no_log_was_checked_says_nothing_of_it(client: Client) -> None:
    assert "见证" not in Text(client.get(f"/c/{gallery_code('key-compromised')}").text).seen


def test_a_revoked_certificate_shows_its_history_without_the_reason_for_it(client: Client) -> None:
    answer = client.get(f"/c/{gallery_code('revoked')}?lang=en")
    seen = Text(answer.text).seen

    assert seen.index("Revoked from the start") < seen.index("Suspended")  # newest first
    assert "decided on 2026-03-01" in seen
    assert "from 2026-03-01" not in seen  # beside "void from the start" it would say the contrary
    assert "from 2026-01-15" in seen
    assert "recorded 2026-03-05 10:00:00" in seen
    assert "示人社函〔2026〕9号" in seen
    assert "Void from the start" in seen
    assert "fraud" not in answer.text


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("/verify/code", "/verify"),
        ("/verify/serial?lang=en", "/verify?lang=en"),
        (f"/c/{CODE.lower()}/photo?lang=en", f"/c/{CODE}?lang=en"),
        ("/c/nonsense/photo", "/verify"),
    ],
)
def test_the_address_of_an_answer_leads_to_its_form(client: Client, address: str, place: str) -> None:
    answer = client.get(address)

    assert (answer.status_code, answer.headers["location"]) == (303, place)


def test_holders_see_their_door_only_where_it_opens() -> None:
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    for has_claims in (True, False):
        pages = Pages(f"https://{HOST}", Assets(), has_claims=has_claims)
        page = bytes(pages.render(Request(scope), "home.html").body).decode()
        assert ('href="/claim"' in page) is has_claims


def test_what_was_replaced_names_its_successor(client: Client) -> None:
    assert "33029920261110000044" in Text(client.get(f"/c/{gallery_code('superseded')}").text).seen


def test_a_name_is_text_and_never_markup() -> None:
    name = """<img src=x onerror=alert(1)>"'&{{7*7}}"""
    client, _ = client_of(
        lambda verdict: replace(verdict, credential=replace(SUMMARY, name=name, fields={"title": name}))
    )
    page = client.get(f"/c/{gallery_code('good')}").text
    text = Text(page)

    assert name in text.seen
    assert not [tag for tag, _, _ in text.attributes if tag == "img"]
    shown = next(value for _, key, value in text.attributes if key == "data-shown")
    assert json.loads(shown)["name"] == name


def test_a_typed_code_leads_to_the_address_of_the_qr_code(client: Client) -> None:
    answer = client.post("/verify/code?lang=en", data={"code": "7f3k-9q2m wx4t-8zbn"})

    assert (answer.status_code, answer.headers["location"]) == (303, f"/c/{CODE}?lang=en")
    assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("code", ["", "nonsense", "7F3K9Q2MWX4T8ZB", "<script>", "7" * 201])
def test_a_mistyped_code_is_said_beside_its_field(client: Client, code: str) -> None:
    answer = client.post("/verify/code", data={"code": code})

    assert answer.status_code == 422
    if len(code) <= 200:
        assert 'aria-invalid="true"' in answer.text
        assert "这不是有效的核验码" in Text(answer.text).seen
    assert "<script>" not in answer.text.replace("<script src", "")


def test_serial_and_name_stay_out_of_every_address(client: Client) -> None:
    answer = client.post(
        "/verify/serial", data={"serial": f" {SUMMARY.serial[:10]} {SUMMARY.serial[10:]}", "name": "张喆堃"}
    )
    text = Text(answer.text)

    assert answer.status_code == 200
    assert "张**" in text.seen
    assert "张喆堃" not in answer.text
    assert not [value for _, _, value in text.attributes if SUMMARY.serial in value and value.startswith("/")]
    assert "paper.js" not in answer.text  # there is no code to hold against this page


def test_a_wrong_serial_and_a_wrong_name_get_one_page(client: Client) -> None:
    pages = [client.post("/verify/serial", data={"serial": serial, "name": "王五"}).text for serial in ("1", "2")]

    assert pages[0] == pages[1]
    assert "查无此证" in pages[0]


def test_a_file_gets_its_verdict(client: Client) -> None:
    answer = client.post("/verify/file", files={"file": ("a.pdf", b"altered", "application/pdf")})

    assert banner(answer.text) == "bad"
    assert "登记信息（以此为准" in answer.text


#: What a browser sends where no file was chosen, and where the form's field was taken away.
NO_FILE = b'--b\r\nContent-Disposition: form-data; name="file"; filename=""\r\n\r\n\r\n--b--\r\n'


@pytest.mark.parametrize("body", [NO_FILE, b"--b--\r\n", b"", b"nonsense"])
def test_a_form_without_a_file_asks_for_one(body: bytes) -> None:
    client, desk = client_of()
    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = client.post("/verify/file?lang=en", content=body, headers=headers)

    assert answer.status_code == 422
    assert "Choose a file first." in Text(answer.text).seen
    assert 'href="/verify/file?lang=zh"' in answer.text
    assert desk.asked == []


def test_an_empty_file_is_said_to_be_empty() -> None:
    client, desk = client_of()
    answer = client.post("/verify/file", files={"file": ("a.pdf", b"")})

    assert answer.status_code == 422
    assert "文件是空的，请重新下载后上传。" in Text(answer.text).seen
    assert desk.asked == []


@pytest.mark.parametrize("megabytes", [17, 40])
def test_a_file_that_is_too_large_gets_a_page_that_says_so(megabytes: int) -> None:
    client, desk = client_of()
    answer = client.post("/verify/file?lang=en", files={"file": ("a.pdf", b"x" * (megabytes * 1024 * 1024))})
    text = Text(answer.text)

    assert answer.status_code == 413
    assert answer.headers["content-type"].startswith("text/html")
    assert "larger than 16 MB, which no certificate is; send the file as downloaded" in text.seen
    assert 'href="/verify/file?lang=en">Back to the form' in answer.text
    assert ("section", "id", "answer") in text.attributes  # shown in place by the page that sent it
    assert desk.asked == []


def test_programs_get_json_and_browsers_a_page(client: Client) -> None:
    asked = client.get(f"/c/{gallery_code('revoked')}", accept="application/json")

    assert asked.json()["verdict"] == "revoked"
    assert "text/html" in client.get(f"/c/{gallery_code('revoked')}").headers["content-type"]


def test_the_photo_appears_with_the_right_last_six_only(client: Client) -> None:
    address = f"/c/{gallery_code('good')}/photo"
    wrong = client.post(address, data={"last_six": "000000"})
    right = client.post(address, data={"last_six": " 12017x "})

    assert wrong.status_code == 422
    assert "还可尝试 4 次" in Text(wrong.text).seen
    assert "data:image/jpeg" not in wrong.text
    assert right.status_code == 200
    assert "data:image/jpeg;base64,/9j/4CBhIHBvcnRyYWl0" in right.text
    assert "000000" not in wrong.text.replace(gallery_code("good"), "")


@pytest.mark.parametrize("reason", [reason for reason, why in REASONS.items() if why.word is not Word.VALID])
def test_no_photo_is_asked_for_beside_any_verdict_but_valid(reason: str) -> None:
    tries: list[str] = []

    def count(code: str, last_six: str) -> bytes:
        tries.append(last_six)
        return show_portrait(code, last_six)

    seen = Client(gallery_app(portraits=count), accept=BROWSER)
    answers = [seen.post(f"/c/{gallery_code(reason)}/photo", data={"last_six": end}) for end in ("12017X", "000000")]

    assert tries == []  # none of the holder's five is gone
    for answer in answers:
        assert answer.status_code == (503 if REASONS[reason].word is Word.UNAVAILABLE else 200)
        assert "data:image/jpeg" not in answer.text
        assert banner(answer.text) == FACES[REASONS[reason].word].tone
    assert seen.post(f"/c/{gallery_code('good')}/photo", data={"last_six": "12017X"}).status_code == 200
    assert tries == ["12017X"]


def test_no_photo_is_offered_where_there_is_none() -> None:
    without, _ = client_of(lambda verdict: replace(verdict, credential=replace(SUMMARY, has_photo=False)))

    assert "/photo" not in without.get(f"/c/{gallery_code('good')}").text


def test_the_language_switch_keeps_the_page(client: Client) -> None:
    page = client.get(f"/c/{gallery_code('good')}").text

    assert f'href="/c/{gallery_code("good")}?lang=en">English' in page
    assert (
        'href="/verify?lang=zh">中文' in client.post("/verify/serial?lang=en", data={"serial": "1", "name": "x"}).text
    )


def test_a_code_that_is_none_is_not_repeated(client: Client) -> None:
    page = client.get("/c/%3Cscript%3Ealert(1)%3Cb%3E").text

    assert banner(page) == "caution"
    assert "alert(1)<" not in page
    assert "paper.js" not in page


def test_a_page_of_a_sample_says_so() -> None:
    class Samples(StillNotices):
        def issuer(self, uscc: str) -> IssuerNotice | None:
            assert uscc == SUMMARY.issuer
            return IssuerNotice("another.example.gov.cn", "", is_sample=True)

    app = gallery_app(notices=Samples())
    seen = Text(Client(app).get(f"/c/{gallery_code('good')}").text).seen

    assert "样本" in seen
    assert "another.example.gov.cn" in seen


def test_the_verdict_that_a_page_shows_is_the_one_that_was_made() -> None:
    for reason in REASONS:
        assert verdict_of(reason).verdict is REASONS[reason].word
