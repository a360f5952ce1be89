"""What a command says is to be done next, where something waits for a person."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from service.certificates import name_of, without_list_address
from service.house import House, SystemClock
from service.revocation_lists import NoRevocationList, RevocationLists
from service.settings import Settings
from tests.service.at_hand import PASSPHRASE, run
from tests.service.outside_ca import OutsideCa


def house_of(data: Path) -> House:
    return House(Settings(data=data), PASSPHRASE.encode(), SystemClock())


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_an_issuer_added_without_a_root_at_hand_says_that_a_draft_has_to_be_signed(
    lang: str, data: Path, tmp_path: Path
) -> None:
    for file in (data / "keys").glob("trust-root*"):
        shutil.move(file, tmp_path)
    uscc, url, kind = "12350200E00512345J", "https://zs.example.gov.cn", "1164990000000000000A1"
    words = ("--name", "另一机构", "--uscc", uscc, "--division", "350200", "--pdf-key", "p-256", "--sample")
    ran = run(
        "--data", data, "issuer", "add", "xm", *words, "--public-url", url, "--type-code", kind,
        environ={"YINZHENG_LANG": lang},
    )  # fmt: skip
    assert ran.code == 0, ran
    assert "yinzheng trust sign" in ran.out
    assert "trust-drafts" in ran.out


def test_a_certificate_that_names_no_list_is_told_by_its_name_and_not_to_be_tried_again(data: Path) -> None:
    ca = OutsideCa()
    house = house_of(data)
    chain = [one.public_bytes(Encoding.DER) for one in (ca.issuing, ca.root)]
    assert without_list_address(chain) == ["一家认证机构 CA 1"]
    with pytest.raises(NoRevocationList) as refused:
        RevocationLists(house).of_chain(chain, chain, datetime.now(UTC))
    assert "一家认证机构 CA 1" in refused.value.zh
    assert "换发含 CRL 地址的证书" in refused.value.zh
    assert "ask the CA" in refused.value.en
    assert "later" not in refused.value.en
    assert "稍后" not in refused.value.zh


def test_our_own_certificates_name_their_lists(data: Path) -> None:
    for entry in house_of(data).store.entries():
        assert without_list_address(entry.chain) == []
        for one in entry.chain:
            assert "2.5.4.97" not in name_of(x509.load_der_x509_certificate(one))
