"""Open a verifier: over this installation's register, or over nothing but a trust list."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from credential.dsse import open_envelope
from credential.errors import InputError
from credential.trust import PAYLOAD_TYPE, TrustList, open_trust_list
from credential.trust_list import read_trust_list
from press.template import Template
from press.template_file import load_template
from service.folder import DataFolder
from service.house import House, SystemClock
from service.issuers import all_issuers
from service.settings import Settings
from service.trust import pinned_roots, remember_version, seen_version
from templates import certificate_folder, certificate_names
from verifier.sandbox import Sandbox
from verifier.steps import Supplied
from verifier.verify import Verifier


class UnreadableFile(InputError):
    """A file named with --trust, --status or --crl cannot be used."""

    code = "unreadable-verifying-file"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path} cannot be used ({reason}); check the path", f"无法使用文件 {path}({reason}); 请检查路径"
        )
        self.path = path


@contextmanager
def open_verifier(house: House) -> Iterator[Verifier]:
    """Open a verifier that asks this installation's register, log and status lists; it signs and writes nothing."""
    origins = {one.uscc: frozenset({one.settings.public_url}) for one in all_issuers(house)}
    with Sandbox() as reader:
        yield Verifier(house.source, house.trust, reader, Supplied(templates=_templates(), origins=origins))


@contextmanager
def open_offline_verifier(
    settings: Settings, trust_file: Path, status_files: Sequence[Path] = (), crl_files: Sequence[Path] = ()
) -> Iterator[Verifier]:
    """Open a verifier that believes a trust list and asks nobody.

    Args:
        settings: names the data folder whose pinned roots count, if there is one.
        trust_file: the signed trust list.
        status_files: status lists ``<number>.cwt``, as published; not trusted.
        crl_files: revocation lists of the certificate authorities, DER or PEM; not trusted.

    Raises:
        UnreadableFile: one of the files cannot be read, or a status list's name is no number.
    """
    trust = read_foreign_trust_list(settings, trust_file, SystemClock().now())
    supplied = Supplied(
        templates=_templates(),
        crls=tuple(_read(path) for path in crl_files),
        status_tokens={_list_number(path): _read(path) for path in status_files},
    )
    with Sandbox() as reader:
        yield Verifier(None, trust, reader, supplied)


def read_foreign_trust_list(settings: Settings, file: Path, now: datetime) -> TrustList:
    """Open a trust list that somebody was handed.

    The roots pinned in the data folder must have signed it, and it may not be
    older than the newest list seen there. Without a data folder, naming the
    file is the act of trust, and the list must be signed by the roots that it
    names itself.

    Raises:
        UnreadableFile: there is no such file.
        InputError, RefusedError: it is not a trust list, or not one to believe.
    """
    envelope = _read(file)
    folder = DataFolder(settings.data)
    if not folder.exists():
        own = read_trust_list(open_envelope(envelope, PAYLOAD_TYPE).payload)
        return open_trust_list(envelope, own.roots, own.threshold, now, 0)
    roots, threshold = pinned_roots(folder)
    trust = open_trust_list(envelope, roots, threshold, now, seen_version(folder))
    remember_version(folder, trust.version)
    return trust


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableFile(path, error.strerror or "input/output") from error


def _list_number(path: Path) -> int:
    if not (path.stem.isascii() and path.stem.isdigit()):
        raise UnreadableFile(path, "a status list is named by its number, as 1.cwt")
    return int(path.stem)


def _templates() -> Mapping[str, Template]:
    loaded = [load_template(certificate_folder(name)) for name in certificate_names()]
    return {one.schema.kind: one for one in loaded}
