"""Sealed fields and blind indexes."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.vault import SEALED_OVERHEAD, BadMasterKey, RecordErased, RecordKey, SealedDataDamaged, Vault, place

MASTER = bytes(range(32))
AT = place("credential", "7/12", "sealed")


@pytest.fixture
def vault() -> Vault:
    return Vault(MASTER, os.urandom)


@pytest.fixture
def key(vault: Vault) -> RecordKey:
    return vault.create_key()


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.binary(), st.integers(0, 2**40))))
def test_what_is_sealed_opens_again(fields: dict[str, object]) -> None:
    vault = Vault(MASTER, os.urandom)
    key = vault.create_key()
    opened = vault.open_key("7/12", vault.wrap(key, "7/12")).open(key.seal(fields, AT), AT)
    assert opened == fields


@given(st.binary(max_size=100), st.data())
def test_any_flipped_bit_is_noticed(content: bytes, data: st.DataObject) -> None:
    key = Vault(MASTER, os.urandom).create_key()
    sealed = bytearray(key.seal_bytes(content, AT))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SealedDataDamaged):
        key.open_bytes(bytes(sealed), AT)


def test_a_sealed_field_opens_nowhere_else(key: RecordKey) -> None:
    sealed = key.seal_bytes(b"name", AT)
    for other in (
        place("batch_row", "7/12", "sealed"),
        place("credential", "7/13", "sealed"),
        place("credential", "7/12", "x"),
    ):
        with pytest.raises(SealedDataDamaged):
            key.open_bytes(sealed, other)


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01" + bytes(SEALED_OVERHEAD - 2), b"\x02" + bytes(50)])
def test_what_was_never_sealed_is_refused(key: RecordKey, sealed: bytes) -> None:
    with pytest.raises(SealedDataDamaged):
        key.open_bytes(sealed, AT)


def test_a_wrapped_key_opens_for_its_owner_and_master_key_only(vault: Vault) -> None:
    wrapped = vault.wrap(vault.create_key(), "7/12")
    with pytest.raises(SealedDataDamaged):
        vault.open_key("7/13", wrapped)
    with pytest.raises(SealedDataDamaged):
        Vault(bytes(32), os.urandom).open_key("7/12", wrapped)


def test_a_destroyed_key_says_that_the_record_was_erased(vault: Vault) -> None:
    with pytest.raises(RecordErased, match="7/12"):
        vault.open_key("7/12", None)


def test_no_two_keys_or_sealings_are_alike(vault: Vault) -> None:
    one, other = vault.create_key(), vault.create_key()
    with pytest.raises(SealedDataDamaged):
        other.open_bytes(one.seal_bytes(b"", AT), AT)
    assert one.seal_bytes(b"x", AT) != one.seal_bytes(b"x", AT)


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_blind_indexes_agree_exactly_for_equal_values(one: list[str], other: list[str]) -> None:
    vault = Vault(MASTER, os.urandom)
    assert (vault.blind("person", *one) == vault.blind("person", *other)) == (one == other)


def test_blind_indexes_differ_by_field_and_master_key(vault: Vault) -> None:
    assert len({vault.blind("name", "张三"), vault.blind("person", "张三"), vault.blind("name", "张三", "")}) == 3
    assert vault.blind("name", "张三") != Vault(bytes(32), os.urandom).blind("name", "张三")
    assert vault.blind("name", "张三") == Vault(MASTER, os.urandom).blind("name", "张三")


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_master_key_has_32_bytes(length: int) -> None:
    with pytest.raises(BadMasterKey, match=str(length)):
        Vault(bytes(length), os.urandom)
