import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from press.symbol import SymbolPress
from press.symbol_image import symbol_image

HEAD = "https://zs.example.gov.cn/c/"
PRESS = SymbolPress(11, "M", prefix=HEAD, mask=2)


@given(st.integers(10**100, 10**300))
def test_every_module_becomes_two_by_two_samples(digits: int) -> None:
    symbol = PRESS.encode(f"{HEAD}7F3K9Q2MWX4T8ZBN#{digits}")
    side, rows = symbol_image(symbol)
    drawn = np.unpackbits(np.frombuffer(rows, np.uint8).reshape(side, -1), axis=1)
    assert np.array_equal(drawn[:, :side], np.kron(symbol.matrix(), np.ones((2, 2), np.uint8)))
    assert not drawn[:, side:].any()
