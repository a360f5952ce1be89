"""Places that plug-ins keep: found by their entry point, handed their table, and told of when they do not fit."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from credential.cose import open_message, sign_message
from credential.errors import UnavailableError
from credential.ports import Algorithm
from credential.trust import Role
from keys.pkcs8 import ScryptCost
from keys.store import KeyStore
from service.key_places import BadPlacesFile, BadPlugIn, KeyPlaces, UnknownPlace, place_names
from service.settings import Settings
from tests.service.at_hand import run

# What somebody writes who keeps keys in a cloud: here the cloud is a folder, in which the keys lie in clear.
CLOUD = """
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from credential.errors import UnavailableError
from keys.file_signer import FileSigner, generate_key


class Away(UnavailableError):
    code = "cloud-away"

    def __init__(self, region):
        super().__init__(f"the key service of {region} does not answer", f"{region} 的密钥服务没有响应")


class Cloud:
    def __init__(self, options):
        self._region, self._folder = options["region"], Path(options["folder"])

    def create(self, name, algorithm):
        key = generate_key(algorithm).private_key
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with (self._folder / name).open("xb") as file:
            file.write(pem)
        return f"cloud:{self._region}/{name}"

    def open(self, reference):
        return Remote(self, reference.rpartition("/")[2])

    def key(self, name):
        if (self._folder / "away").exists():
            raise Away(self._region)
        return FileSigner(load_pem_private_key((self._folder / name).read_bytes(), None))


class Remote:
    def __init__(self, cloud, name):
        self._cloud, self._name = cloud, name
        self.algorithm, self.public_key = cloud.key(name).algorithm, cloud.key(name).public_key

    def sign(self, message):
        return self._cloud.key(self._name).sign(message)


def nothing(options):
    return object()


not_callable = 7
"""

Install = Callable[[str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install the module ``acme_cloud`` with these entry points, as pip would."""
    site = tmp_path / "site"
    about = site / "acme_cloud-1.0.dist-info"
    about.mkdir(parents=True)
    (site / "acme_cloud.py").write_text(CLOUD)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-cloud\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(site)
    monkeypatch.delitem(sys.modules, "acme_cloud", raising=False)

    def write(lines: str) -> None:
        (about / "entry_points.txt").write_text(f"[yinzheng.signers]\n{lines}\n")

    return write


@pytest.fixture
def cloud(tmp_path: Path) -> Path:
    folder = tmp_path / "cloud"
    folder.mkdir()
    return folder


@pytest.fixture
def settings(cloud: Path, tmp_path: Path) -> Settings:
    file = tmp_path / "places.toml"
    file.write_text(f'[acme]\nregion = "cn-north-1"\nfolder = "{cloud}"\n')
    return Settings(data=tmp_path / "data", key_places_file=file)


def test_keys_of_a_plug_in_are_made_opened_and_sign(
    install: Install, settings: Settings, cloud: Path, tmp_path: Path
) -> None:
    install("acme = acme_cloud:Cloud")
    assert place_names() == ["file", "pkcs11", "acme"]
    now = datetime.now(UTC)
    folder = tmp_path / "keys"
    store = KeyStore(folder, b"x", cost=ScryptCost(2, 8, 1), places=KeyPlaces(settings))
    made = store.create_next(Role.QR, Algorithm.P256, "nb", now=now, kept_in="acme")
    entry = store.activate(Role.QR, "nb", 1, now)
    assert (entry.kept_in, entry.reference) == ("acme", "cloud:cn-north-1/qr.nb")

    signer = KeyStore(folder, None, places=KeyPlaces(settings)).signer(Role.QR, "nb")  # no passphrase is needed
    assert signer.public_key == made.public_key
    open_message(sign_message(b"payload", signer)).verify(entry.public_key)
    (cloud / "away").touch()
    with pytest.raises(UnavailableError, match="cn-north-1 does not answer"):
        signer.sign(b"x")


def test_a_plug_ins_key_gets_a_request_by_the_command_line(install: Install, settings: Settings, data: Path) -> None:
    install("acme = acme_cloud:Cloud")
    environ = {"YINZHENG_KEY_PLACES_FILE": str(settings.key_places_file)}
    ran = run("--data", data, "keys", "make", "--role", "pdf", "--issuer", "nb", "--in", "acme", environ=environ)
    assert ran.code == 0, ran
    assert "cloud:cn-north-1/pdf.nb@2" in ran.out
    ran = run("--data", data, "keys", "csr", "--issuer", "nb", environ=environ)
    assert x509.load_pem_x509_csr(ran.out.encode("ascii")).is_signature_valid


def test_a_place_is_opened_once_a_process(install: Install, settings: Settings) -> None:
    install("acme = acme_cloud:Cloud")
    places = KeyPlaces(settings)
    assert places("acme") is places("acme")


@pytest.mark.parametrize(
    ("lines", "kind", "said"),
    [
        ("other = acme_cloud:Cloud", UnknownPlace, "file, pkcs11, other"),
        ("acme = acme_cloud:missing", BadPlugIn, "missing"),
        ("acme = no_such_module:Cloud", BadPlugIn, "no_such_module"),
        ("acme = acme_cloud:nothing", BadPlugIn, "create and open"),
        ("acme = acme_cloud:not_callable", BadPlugIn, "create and open"),
    ],
)
def test_a_plug_in_that_is_not_there_or_does_not_fit_is_told(
    lines: str, kind: type[Exception], said: str, install: Install, settings: Settings
) -> None:
    install(lines)
    with pytest.raises(kind, match=said):
        KeyPlaces(settings)("acme")


def test_a_plug_in_cannot_take_the_place_of_files(install: Install, settings: Settings) -> None:
    install("file = acme_cloud:Cloud")
    assert place_names() == ["file", "pkcs11"]
    with pytest.raises(BadPlugIn):
        KeyPlaces(settings)("file")


@pytest.mark.parametrize("content", ["no toml", "acme = 7", None])
def test_settings_of_plug_ins_that_cannot_be_read_are_told(
    content: str | None, install: Install, settings: Settings
) -> None:
    install("acme = acme_cloud:Cloud")
    assert settings.key_places_file is not None
    if content is None:
        settings.key_places_file.unlink()
    else:
        settings.key_places_file.write_text(content)
    with pytest.raises(BadPlacesFile, match=r"places\.toml"):
        KeyPlaces(settings)("acme")
