import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from press.syntax import colour, deflated, number, text_string


@given(st.floats(-1e6, 1e6))
def test_numbers_keep_three_decimals_and_never_an_exponent(value: float) -> None:
    written = number(value)
    assert float(written) == pytest.approx(value, abs=0.0005001)
    assert set(written) <= set(b"-.0123456789")
    assert written != b"-0"
    assert not (b"." in written and written.endswith((b"0", b".")))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_strings_can_be_read_back(text: str) -> None:
    assert bytes.fromhex(text_string(text)[1:-1].decode()).decode("utf-16") == text


@given(st.binary(max_size=500))
def test_streams_are_never_longer_for_being_packed(content: bytes) -> None:
    written = deflated(b"", content)
    body = written.split(b"stream\n", 1)[1].removesuffix(b"\nendstream")
    assert len(body) <= len(content)
    assert (zlib.decompress(body) if b"FlateDecode" in written.split(b"stream\n", 1)[0] else body) == content


def test_colours_are_six_hexadecimal_digits() -> None:
    assert colour("#FF8000") == (1.0, 128 / 255, 0.0)
    for bad in ("FF8000", "#FF80", "#GG8000", "red", ""):
        with pytest.raises(ValueError, match=r".*"):
            colour(bad)
