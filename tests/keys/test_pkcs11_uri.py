"""References to keys in tokens: RFC 7512, as far as they go."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.pkcs11_uri import BadTokenUri, TokenUri, read_token_uri

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@given(token=_TEXTS, name=_TEXTS, identifier=st.binary(max_size=8))
def test_every_label_and_id_is_read_as_it_was_written(token: str, name: str, identifier: bytes) -> None:
    uri = TokenUri(token, name, identifier)
    assert read_token_uri(str(uri)) == uri
    assert str(uri).isascii()


def test_a_reference_may_name_the_file_with_its_tokens_pin() -> None:
    uri = TokenUri("my bureau", "pdf.nb@2", b"\x1f", Path("/etc/yinzheng/单位 pin"))
    assert str(uri).startswith("pkcs11:token=my%20bureau;object=pdf.nb%402;id=%1F?pin-source=file:/etc/yinzheng/")
    assert read_token_uri(str(uri)) == uri


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pkcs11:",
        "pkcs11:token=a",  # no key
        "pkcs11:object=a",  # no token
        "pkcs11:token=;object=a",
        "token=a;object=b",
        "pkcs11:token=a;object=b;serial=1",  # said, but nobody would look at it
        "pkcs11:token=a;object=b;object=c",
        "pkcs11:token=a;object",
        "pkcs11:token=a;object=b?pin-value=1234",  # a PIN never stands in a reference
        "pkcs11:token=a;object=b?pin-source=pin",
        "pkcs11:token=a;object=b?pin-source=https://a/pin",
        "pkcs11:token=%FF;object=b",
    ],
)
def test_a_reference_that_names_no_key_or_says_more_than_we_read_is_refused(text: str) -> None:
    with pytest.raises(BadTokenUri):
        read_token_uri(text)


@pytest.mark.parametrize(
    "text",
    [
        "pkcs11:token=a;object=b?pin-value=SECRET-1234",
        "pkcs11:token=a?pin-value=SECRET-1234",
        "pkcs11:token=%FF;object=b?pin-source=file:/SECRET-1234",
        "?pin-value=SECRET-1234",
    ],
)
def test_a_refusal_never_repeats_a_pin(text: str) -> None:
    with pytest.raises(BadTokenUri) as refused:
        read_token_uri(text)
    error = refused.value
    assert "SECRET" not in f"{error} {error.en} {error.zh} {error.uri} {error.args}"
