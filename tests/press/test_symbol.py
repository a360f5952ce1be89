import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qrcode
import zxingcpp
from hypothesis import example, given, settings
from hypothesis import strategies as st
from qrcode import util

from press.symbol import (
    LEVELS,
    MAX_VERSION,
    MIN_VERSION,
    BadSymbolText,
    DifferentSymbol,
    Symbol,
    SymbolOverflow,
    SymbolPress,
    UnsupportedSymbol,
    choose_mask,
)

PREFIX = "https://zc.example.cn/c/"
CODE = "7QK2M9ZT4XB8C0HD"
Matrix = np.ndarray[Any, np.dtype[np.uint8]]


@cache
def press(version: int = 14, level: str = "M", mask: int = 2, quiet: int = 4, prefix: str = PREFIX) -> SymbolPress:
    return SymbolPress(version, level, quiet=quiet, prefix=prefix, mask=mask)


def digits(count: int, seed: int = 0) -> str:
    return "".join(map(str, np.random.default_rng(seed).integers(0, 10, count).tolist()))


def texts(count: int, press_: SymbolPress) -> list[str]:
    """Texts of every length up to the symbol's capacity, each with another code."""
    codes = np.random.default_rng(7).choice(list("0123456789ABCDEFGHJKMNPQRSTVWXYZ"), (count, 16))
    heads = [PREFIX + "".join(code) + "#" for code in codes.tolist()]
    most = press_.max_digits(len(heads[0]))
    return [head + digits(1 + place * (most - 1) // (count - 1), place) for place, head in enumerate(heads)]


def of_library(text: str, version: int, level: str, mask: int) -> Matrix:
    head, _, number = text.partition("#")
    code: qrcode.QRCode[Any] = qrcode.QRCode(version, LEVELS[level], mask_pattern=mask, border=0)
    code.add_data(util.QRData(f"{head}#".encode(), 4))
    code.add_data(util.QRData(number.encode(), 1))
    code.make(fit=False)
    return np.array(code.get_matrix(), np.uint8)


def picture(symbol: Symbol, scale: int = 4) -> Matrix:
    return np.kron(1 - symbol.matrix(), np.full((scale, scale), 255, np.uint8))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("version", range(MIN_VERSION, MAX_VERSION + 1))
def test_symbols_equal_those_of_the_library(version: int, level: str) -> None:
    prefix = "https://a.cn/c/"  # short enough for 5-H
    maker = press(version, level, version % 8, 4, prefix)
    most = maker.max_digits(len(prefix) + 17)
    for count in {1, 2, 3, most // 2, most - 1, most}:
        text = f"{prefix}{CODE}#{digits(count, count)}"
        ours = maker.encode(text).matrix()
        assert not ours[:4].any()
        assert not ours[-4:].any()
        assert not ours[:, :4].any()
        assert not ours[:, -4:].any()
        assert np.array_equal(ours[4:-4, 4:-4], of_library(text, version, level, version % 8))


@pytest.mark.parametrize("mask", range(8))
def test_every_mask_equals_the_librarys(mask: int) -> None:
    text = f"{PREFIX}{CODE}#1{digits(300)}"
    assert np.array_equal(press(11, "M", mask, 0).encode(text).matrix(), of_library(text, 11, "M", mask))


@given(
    path=st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="#"), max_size=60),
    number=st.text("0123456789", min_size=1, max_size=400).filter(lambda number: number.strip("0")),
)
@example(path="", number="1")
@settings(max_examples=60, deadline=None)
def test_any_text_of_the_form_equals_the_librarys(path: str, number: str) -> None:
    text = f"{PREFIX}{path}#{number}"
    assert np.array_equal(press(12, "L", 5, 0).encode(text).matrix(), of_library(text, 12, "L", 5))


@pytest.mark.parametrize(("version", "level"), [(7, "M"), (11, "M"), (14, "M"), (14, "Q"), (20, "L")])
def test_zxing_reads_back_every_byte(version: int, level: str) -> None:
    maker = press(version, level)
    for text in texts(60, maker):
        results = zxingcpp.read_barcodes(
            picture(maker.encode(text)), formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
        )
        assert [result.bytes for result in results] == [text.encode()]
        assert results[0].ec_level == level


def test_blocks_of_zeros_are_read_back() -> None:
    # The library itself divides by zero on a block without a single 1, so only a reader can judge here.
    maker = press(14, "L")
    text = f"{PREFIX}{CODE}#{'0' * 990}1"
    assert [result.text for result in zxingcpp.read_barcodes(picture(maker.encode(text)))] == [text]


def test_zbar_reads_back_every_byte(tmp_path: Path) -> None:
    maker = press(14, "M")
    wanted = texts(200, maker)
    files = []
    for place, text in enumerate(wanted):
        image = picture(maker.encode(text))
        file = tmp_path / f"{place:03}.pgm"
        file.write_bytes(b"P5 %d %d 255\n%b" % (image.shape[1], image.shape[0], image.tobytes()))
        files.append(file.name)
    done = subprocess.run(["zbarimg", "--raw", "-q", *files], cwd=tmp_path, capture_output=True, check=True)
    assert done.stdout.decode("ascii").splitlines() == wanted


def test_a_full_symbol_fits_and_one_digit_more_is_refused() -> None:
    for version, level in ((5, "L"), (9, "M"), (10, "M"), (14, "M"), (20, "H")):
        maker = press(version, level)
        most = maker.max_digits(len(PREFIX) + 17)
        maker.encode(f"{PREFIX}{CODE}#{digits(most)}")
        with pytest.raises(SymbolOverflow, match="does not fit"):
            maker.encode(f"{PREFIX}{CODE}#{digits(most + 1)}")


def test_a_byte_segment_past_its_counter_is_refused() -> None:
    with pytest.raises(SymbolOverflow):
        press(9, "L").encode(f"{PREFIX}{'A' * 300}#1")
    assert press(9, "L").max_digits(300) == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        PREFIX,
        f"{PREFIX}{CODE}",
        f"{PREFIX}{CODE}#",
        f"{PREFIX}{CODE}#12a",
        f"{PREFIX}{CODE}#12 ",
        f"{PREFIX}{CODE}#-1",
        f"{PREFIX}{CODE}#1#2",
        f"{PREFIX}{CODE}#１２",
        f"{PREFIX}{CODE}#²",
        f"{PREFIX}印证#12",
        f"https://zc.example.com/c/{CODE}#12",
    ],
)
def test_a_text_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(BadSymbolText, match="ASCII"):
        press(14).encode(text)


@pytest.mark.parametrize(
    ("version", "level", "mask"), [(4, "M", 0), (21, "M", 0), (14, "X", 0), (14, "m", 0), (14, "M", 8), (14, "M", -1)]
)
def test_symbols_out_of_range_are_refused(version: int, level: str, mask: int) -> None:
    with pytest.raises(UnsupportedSymbol, match=f"version {version}, level {level}, mask {mask}"):
        SymbolPress(version, level, mask=mask)


def test_a_press_that_disagrees_with_the_library_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    correction = SymbolPress._correction
    monkeypatch.setattr(SymbolPress, "_correction", lambda self, data: correction(self, data) ^ np.uint8(1))
    with pytest.raises(DifferentSymbol, match="version 14-M"):
        SymbolPress(14, "M", prefix=PREFIX, mask=0)


def test_rows_are_whole_bytes_with_the_leftmost_module_first() -> None:
    symbol = press(14).encode(f"{PREFIX}{CODE}#12")
    assert symbol.width == 17 + 4 * 14 + 8 == 81
    assert len(symbol.rows) == 81 * 11
    assert symbol.rows[: 4 * 11] == bytes(4 * 11)
    # The top left finder begins after the quiet zone: four light modules, then seven dark ones.
    assert symbol.rows[4 * 11 : 4 * 11 + 2] == bytes((0b00001111, 0b11100000 | symbol.rows[4 * 11 + 1] & 0b00011111))
    assert all(row[-1] & 0b01111111 == 0 for row in (symbol.rows[n : n + 11] for n in range(0, 81 * 11, 11)))


def test_runs_and_path_draw_the_same_modules() -> None:
    symbol = press(11, "M", 6).encode(f"{PREFIX}{CODE}#1{digits(200)}")
    from_runs = np.zeros((symbol.width, symbol.width), np.uint8)
    for x, y, length in symbol.runs():
        assert not from_runs[y, x : x + length].any()
        from_runs[y, x : x + length] = 1
    assert np.array_equal(from_runs, symbol.matrix())
    from_path = np.zeros_like(from_runs)
    *rectangles, fill = symbol.path().decode().split("\n")
    assert fill == "f"
    for rectangle in rectangles:
        left, bottom, length_text, height, operator = rectangle.split()
        assert (height, operator) == ("1", "re")
        from_path[symbol.width - 1 - int(bottom), int(left) : int(left) + int(length_text)] = 1
    assert np.array_equal(from_path, symbol.matrix())


def penalty(matrix: Matrix) -> int:
    """The four features of ISO/IEC 18004, table 11, counted the plain way."""
    lines = ["".join(map(str, line)) for line in [*matrix.tolist(), *matrix.T.tolist()]]
    runs = sum(len(run) - 2 for line in lines for run in split_runs(line) if len(run) >= 5)
    summed = matrix[:-1, :-1].astype(int) + matrix[1:, :-1] + matrix[:-1, 1:] + matrix[1:, 1:]
    blocks = 3 * int(((summed == 0) | (summed == 4)).sum())
    finders = 40 * sum(
        line[at : at + 11] in {"10111010000", "00001011101"} for line in lines for at in range(len(line) - 10)
    )
    balance = 10 * int(abs(matrix.mean() * 100 - 50) // 5)
    return runs + blocks + finders + balance


def split_runs(line: str) -> Sequence[str]:
    return line.replace("01", "0 1").replace("10", "1 0").split()


def test_the_mask_chosen_has_the_lowest_penalty_over_the_samples() -> None:
    samples = [f"{PREFIX}{CODE}#1{digits(600, seed)}" for seed in range(2)]
    sums = [sum(penalty(press(14, "M", mask, 0).encode(text).matrix()) for text in samples) for mask in range(8)]
    assert choose_mask(14, "M", samples) == sums.index(min(sums))


def test_the_mask_is_the_same_each_time() -> None:
    first, second = (SymbolPress(8, "M", prefix=PREFIX) for _ in range(2))
    assert first.mask == second.mask
    assert first.encode(f"{PREFIX}{CODE}#12") == second.encode(f"{PREFIX}{CODE}#12")
