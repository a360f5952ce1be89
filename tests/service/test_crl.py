"""The revocation lists of the own CA: static, short-lived, numbered upwards; what is revoked stays revoked."""

import json
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlmodel import select

from credential.trust import Role
from keys.authority import ISSUING, ROOT, DevelopmentAuthority, Organization
from registry.history import HistoryKind
from registry.tables import HistoryRow
from service.crl import (
    AlreadyRevokedCert,
    RevocationsDamaged,
    UnknownSigningCert,
    issued_certs,
    publish_crls,
    refresh_crls,
    revoke_signing_cert,
)
from service.house import House
from service.settings import Settings
from tests.service.at_hand import PASSPHRASE, run
from tests.verifier.making import make_root

TOOL = Callable[[str], Path]


class MovingClock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.moment = datetime.now(UTC)

    def now(self) -> datetime:
        return self.moment


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


@pytest.fixture
def house(data: Path, clock: MovingClock) -> House:
    return House(Settings(data=data), PASSPHRASE.encode(), clock)


def serial_of(house: House) -> int:
    return x509.load_der_x509_certificate(house.store.chain(Role.PDF, "nb")[0]).serial_number


def published(house: House, name: str = "issuing") -> x509.CertificateRevocationList:
    return x509.load_der_x509_crl((house.folder.ca / f"{name}.crl").read_bytes())


def number_of(crl: x509.CertificateRevocationList) -> int:
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def revoked_in(house: House) -> set[int]:
    return {one.serial_number for one in published(house)}


def openssl(tool: TOOL, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([tool("openssl"), *arguments], capture_output=True, text=True, check=False)


def check_with_openssl(house: House, tool: TOOL, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Let openssl judge the signing certificate by the published lists."""
    chain = [
        x509.load_der_x509_certificate(one).public_bytes(Encoding.PEM) for one in house.store.chain(Role.PDF, "nb")
    ]
    (folder / "cert.pem").write_bytes(chain[0])
    (folder / "middle.pem").write_bytes(chain[1])
    (folder / "root.pem").write_bytes(chain[2])
    lists = b"".join(published(house, name).public_bytes(Encoding.PEM) for name in ("root", "issuing"))
    (folder / "crls.pem").write_bytes(lists)
    named = ("-CAfile", folder / "root.pem", "-untrusted", folder / "middle.pem", "-CRLfile", folder / "crls.pem")
    return openssl(tool, "verify", *more, "-crl_check_all", *named, folder / "cert.pem")


def test_openssl_follows_the_lists_before_and_after_a_certificate_is_revoked(
    house: House, tool: TOOL, tmp_path: Path
) -> None:
    good = check_with_openssl(house, tool, tmp_path)
    assert good.returncode == 0, good.stderr
    ran = run("--data", house.folder.root, "ca", "revoke", f"{serial_of(house):x}", "--reason", "key-compromise")
    assert ran.code == 0, ran.err
    bad = check_with_openssl(house, tool, tmp_path)
    assert bad.returncode != 0
    assert "certificate revoked" in bad.stderr
    text = openssl(tool, "crl", "-in", house.folder.ca / "issuing.crl", "-inform", "DER", "-noout", "-text").stdout
    assert f"{serial_of(house):X}" in text.replace(":", "")
    assert "Key Compromise" in text
    assert re.search(r"X509v3 CRL Number:\s+\d+", text)


def test_openssl_takes_no_list_past_its_end(house: House, tool: TOOL, tmp_path: Path, clock: MovingClock) -> None:
    late = str(int((clock.now() + timedelta(days=8)).timestamp()))
    stale = check_with_openssl(house, tool, tmp_path, "-attime", late)
    assert stale.returncode != 0
    assert "CRL has expired" in stale.stderr
    clock.moment += timedelta(days=8)
    assert refresh_crls(house)
    fresh = check_with_openssl(house, tool, tmp_path, "-attime", late)
    assert fresh.returncode == 0, fresh.stderr


def test_every_certificate_but_the_root_names_where_its_list_is(house: House) -> None:
    chain = [x509.load_der_x509_certificate(one) for one in house.store.chain(Role.PDF, "nb")]
    for cert, name in zip(chain, ("issuing", "root"), strict=False):
        (point,) = cert.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
        assert point.full_name is not None
        assert [one.value for one in point.full_name] == [f"{house.installation.public_url}/ca/{name}.crl"]
        assert (house.folder.ca / f"{name}.crl").is_file()
        assert (house.folder.ca / f"{name}.crt").is_file()


def test_the_number_grows_with_every_list_whatever_the_clock_and_the_record_say(
    house: House, clock: MovingClock
) -> None:
    numbers = [number_of(published(house))]
    for step in (timedelta(), timedelta(seconds=1), timedelta(days=-3), timedelta(days=3)):
        clock.moment += step
        publish_crls(house)
        numbers.append(number_of(published(house)))
    record = house.folder.root / "ca-revocations.json"
    record.unlink()  # lost, as after a restore
    publish_crls(house)
    numbers.append(number_of(published(house)))
    for crl in house.folder.ca.glob("*.crl"):
        crl.unlink()  # the public folder is lost
    publish_crls(house)
    numbers.append(number_of(published(house)))
    assert numbers == sorted(set(numbers))


def test_what_is_revoked_stays_so_if_the_record_or_the_public_folder_is_older(house: House) -> None:
    record = house.folder.root / "ca-revocations.json"
    before = record.read_bytes()
    serial = serial_of(house)
    revoke_signing_cert(house, serial, "superseded")
    told = record.read_bytes()

    record.write_bytes(before)  # an older backup
    publish_crls(house)
    assert revoked_in(house) == {serial}
    assert json.loads(record.read_bytes())[ISSUING]["revoked"] == json.loads(told)[ISSUING]["revoked"]
    (house.folder.ca / "issuing.crl").unlink()
    publish_crls(house)
    assert revoked_in(house) == {serial}


def test_a_list_that_somebody_else_signed_is_not_read(house: House, clock: MovingClock) -> None:
    serial = serial_of(house)
    foreign = House(Settings(data=house.folder.root), PASSPHRASE.encode(), clock)
    crl = DevelopmentAuthority(foreign.store, "https://x.example/ca").make_crl(
        ROOT, number=1 << 60, this_update=clock.now(), next_update=clock.now() + timedelta(days=9)
    )
    revoke_signing_cert(house, serial, "superseded")
    (house.folder.ca / "issuing.crl").write_bytes(crl)  # the root's list in the place of the issuing CA's
    assert refresh_crls(house), "it counts as missing"
    assert revoked_in(house) == {serial}
    assert number_of(published(house)) < 1 << 60


def test_a_damaged_record_stops_the_publishing(house: House) -> None:
    """Else what it said is forgotten."""
    (house.folder.root / "ca-revocations.json").write_bytes(b"{")
    with pytest.raises(RevocationsDamaged):
        publish_crls(house)


def test_lists_are_published_when_due_and_not_before(house: House, clock: MovingClock) -> None:
    assert not refresh_crls(house)
    clock.moment += timedelta(hours=23)
    assert not refresh_crls(house)
    clock.moment += timedelta(hours=2)
    assert refresh_crls(house)
    assert not refresh_crls(house)
    (house.folder.ca / "root.crl").write_bytes(b"damaged")
    assert refresh_crls(house)
    (house.folder.ca / "root.crl").unlink()
    assert refresh_crls(house)


def test_a_list_lives_as_long_as_the_setting_says(data: Path, clock: MovingClock) -> None:
    house = House(Settings(data=data, crl_days=2), PASSPHRASE.encode(), clock)
    publish_crls(house)
    for name in ("root", "issuing"):
        found = published(house, name)
        assert found.next_update_utc == found.last_update_utc + timedelta(days=2)
    clock.moment += timedelta(hours=17)  # a third of its life has passed
    assert refresh_crls(house)


def test_a_certificate_is_revoked_once_and_noted(house: House) -> None:
    made = revoke_signing_cert(house, serial_of(house), "cessation-of-operation")
    with pytest.raises(AlreadyRevokedCert):
        revoke_signing_cert(house, serial_of(house), "key-compromise")
    (shown,) = [one for one in issued_certs(house) if one.cert.serial_number == made.serial_number]
    assert shown.revoked == made
    with house.database.reading() as session:
        rows = session.exec(select(HistoryRow).where(HistoryRow.kind == HistoryKind.CERTIFICATE_REVOKED)).all()
    since = f"{made.revoked_at:%Y-%m-%dT%H:%M:%SZ}"
    noted = f"certificate {made.serial_number:x} of pdf nb: cessation-of-operation since {since}"
    assert [one.subject for one in rows] == [noted]


def test_only_what_our_ca_issued_is_revoked(house: House) -> None:
    foreign = make_root().cert.public_bytes(Encoding.PEM)
    for number, cert in ((123, None), (123, foreign), (123, b"no certificate")):
        with pytest.raises(UnknownSigningCert):
            revoke_signing_cert(house, number, "superseded", cert=cert)
    assert revoked_in(house) == set()


def test_a_certificate_that_the_key_store_forgot_is_revoked_by_its_file(house: House, clock: MovingClock) -> None:
    old = house.store.chain(Role.PDF, "nb")[0]
    DevelopmentAuthority(house.store, f"{house.installation.public_url}/ca").certify(
        Role.PDF,
        "nb",
        Organization("示例市人力资源和社会保障局", "11649900MB0T000311"),
        not_before=clock.now(),
        not_after=clock.now() + timedelta(days=30),
    )
    serial = x509.load_der_x509_certificate(old).serial_number
    with pytest.raises(UnknownSigningCert):
        revoke_signing_cert(house, serial, "superseded")
    revoke_signing_cert(house, serial, "superseded", cert=old)
    assert revoked_in(house) == {serial}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("xyz", "--reason", "superseded"), "bad-cert-number"),
        (("1a", "--reason", "boredom"), "bad-cert-number"),
        (("1a", "--reason", "superseded", "--since", "yesterday"), "bad-cert-number"),
        (("1a", "--reason", "superseded"), "unknown-signing-cert"),
    ],
)
def test_what_is_mistyped_revokes_nothing(arguments: tuple[str, ...], code: str, made: Path) -> None:
    ran = run("--data", made, "ca", "revoke", *arguments)
    assert (ran.code, ran.error) == (1, code)
