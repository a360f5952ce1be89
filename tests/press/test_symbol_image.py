import subprocess
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from press.symbol import MAX_VERSION, MIN_VERSION, BadSymbolText, SymbolOverflow, SymbolPress
from press.symbol_image import SymbolImage

HEAD = "https://zs.example.gov.cn/c/"
PRESS = SymbolPress(11, "M", prefix=HEAD, mask=2)
IMAGE = SymbolImage(PRESS)


def picture(image: SymbolImage, text: str) -> bytes:
    (made,) = image.deflated([text])
    return made


def check_samples(press: SymbolPress, image: SymbolImage, text: str) -> bytes:
    """Inflate a picture with zlib, checksum and all, and hold it against the symbol."""
    inflate = zlib.decompressobj()
    rows = inflate.decompress(picture(image, text))
    assert inflate.eof
    assert not inflate.unused_data
    drawn = np.unpackbits(np.frombuffer(rows, np.uint8).reshape(image.side, -1), axis=1)
    assert np.array_equal(drawn[:, : image.side], np.kron(press.encode(text).matrix(), np.ones((2, 2), np.uint8)))
    assert not drawn[:, image.side :].any()
    return rows


@given(st.integers(10**100, 10**300))
def test_every_module_becomes_two_by_two_samples(digits: int) -> None:
    check_samples(PRESS, IMAGE, f"{HEAD}7F3K9Q2MWX4T8ZBN#{digits}")


@pytest.mark.parametrize("quiet", [0, 4, 9])
@pytest.mark.parametrize("version", range(MIN_VERSION, MAX_VERSION + 1))
def test_pictures_of_every_version_inflate_to_their_symbol(version: int, quiet: int) -> None:
    press = SymbolPress(version, "M", quiet=quiet, prefix=HEAD, mask=version % 8)
    image = SymbolImage(press)
    for count in (1, press.max_digits(len(HEAD) + 17)):
        check_samples(press, image, f"{HEAD}7F3K9Q2MWX4T8ZBN#{'9' * count}")


def test_another_inflater_reads_the_picture_too() -> None:
    # gzip has an inflate.c of its own, older than zlib's.
    text = f"{HEAD}7F3K9Q2MWX4T8ZBN#{'1234567890' * 20}"
    rows, stream = check_samples(PRESS, IMAGE, text), picture(IMAGE, text)
    gzip_file = b"\x1f\x8b\x08" + bytes(7) + stream[2:-4] + zlib.crc32(rows).to_bytes(4, "little")
    gzip_file += len(rows).to_bytes(4, "little")
    unpacked = subprocess.run(["gzip", "-dc"], input=gzip_file, capture_output=True, check=True).stdout
    assert unpacked == rows


@given(st.binary(min_size=8, max_size=8))
@settings(max_examples=30)
def test_pictures_have_one_length(seed: bytes) -> None:
    # A stream's length in the file follows from the template alone.
    texts = [f"{HEAD}{seed.hex().upper()}#1{int.from_bytes(seed)}", f"{HEAD}#0"]
    assert len(set(map(len, IMAGE.deflated(texts)))) == 1


@given(st.lists(st.integers(0, 10**300), max_size=40))
@settings(max_examples=20, deadline=None)
def test_pictures_made_together_are_those_made_alone(numbers: list[int]) -> None:
    texts = [f"{HEAD}{place:02}#{number}" for place, number in enumerate(numbers)]
    assert IMAGE.deflated(texts) == [picture(IMAGE, text) for text in texts]


def test_a_text_that_makes_no_symbol_makes_no_picture() -> None:
    with pytest.raises(BadSymbolText):
        IMAGE.deflated([f"{HEAD}#1", "https://other.example/c/7F3K9Q2MWX4T8ZBN#1"])
    with pytest.raises(SymbolOverflow):
        IMAGE.deflated([f"{HEAD}7F3K9Q2MWX4T8ZBN#{'1' * 700}", f"{HEAD}#1"])
