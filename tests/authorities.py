"""Certification and time-stamping authorities of somebody else: certomancer's, with keys made for the run.

Whose certificate ends when matters to what is tested with them, so it stands here::

    root     2025 .. 2045     issuing  2025 .. 2033     signer, nowhere  2026 .. 2029     direct  2026 .. 2029
    tsa-root 2025 .. 2060     tsa      2025 .. 2040     tsa-late, tsa-plain  2025 .. 2055

``signer`` names a distribution point for its revocation list, ``nowhere`` names none; ``direct`` comes from the
root itself, as our own CA's certificates do. ``tsa-plain`` may not make time stamps, and does.
"""

import atexit
import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from asn1crypto import cms, tsp
from asn1crypto import x509 as asn1_x509
from certomancer.registry import CertLabel, EntityLabel, PKIArchitecture, ServiceLabel
from certomancer.registry.common import ArchLabel, KeyLabel
from certomancer.registry.config import CertomancerConfig
from certomancer.services import CRLBuilder, choose_signed_digest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key

from keys.file_signer import FileSigner

NAMES = ("root", "issuing", "signer", "nowhere", "direct", "tsa-root", "tsa", "tsa-late", "tsa-plain")


def _ca(path_length: int | None = None) -> list[dict[str, Any]]:
    limits = {"ca": True} if path_length is None else {"ca": True, "path_len_constraint": path_length}
    return [
        {"id": "basic_constraints", "critical": True, "value": limits},
        _usage("key_cert_sign", "crl_sign"),
    ]


def _usage(*usages: str) -> dict[str, Any]:
    return {"id": "key_usage", "critical": True, "smart-value": {"schema": "key-usage", "params": list(usages)}}


def _crl(repository: str) -> dict[str, Any]:
    parameters = {"crl-repo-names": [repository]}
    return {"id": "crl_distribution_points", "smart-value": {"schema": "crl-dist-url", "params": parameters}}


_STAMPING = {"id": "extended_key_usage", "critical": True, "value": ["time_stamping"]}


def _certificate(subject: str, issuer: str, years: tuple[int, int], extensions: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "subject": subject,
        "issuer": issuer,
        "authority-key": issuer,
        "validity": {"valid-from": f"{years[0]}-01-01T00:00:00+0000", "valid-to": f"{years[1]}-01-01T00:00:00+0000"},
        "extensions": extensions,
    }


_CONFIGURATION: dict[str, Any] = {
    "keysets": {"keys": {"keys": {name: {"path": f"{name}.pem"} for name in NAMES}}},
    "pki-architectures": {
        "outside": {
            "keyset": "keys",
            "entity-defaults": {"country-name": "CN", "organization-name": "Outside"},
            "entities": {name: {"common-name": name} for name in NAMES},
            "certs": {
                "root": _certificate("root", "root", (2025, 2045), _ca()),
                "issuing": _certificate("issuing", "root", (2025, 2033), [*_ca(0), _crl("root")]),
                "signer": _certificate(
                    "signer", "issuing", (2026, 2029), [_usage("digital_signature", "non_repudiation"), _crl("issuing")]
                ),
                "nowhere": _certificate(
                    "nowhere", "issuing", (2026, 2029), [_usage("digital_signature", "non_repudiation")]
                ),
                "direct": _certificate(
                    "direct", "root", (2026, 2029), [_usage("digital_signature", "non_repudiation"), _crl("root")]
                ),
                "tsa-root": _certificate("tsa-root", "tsa-root", (2025, 2060), _ca()),
                "tsa": _certificate(
                    "tsa", "tsa-root", (2025, 2040), [_usage("digital_signature"), _STAMPING, _crl("tsa-root")]
                ),
                "tsa-late": _certificate(
                    "tsa-late", "tsa-root", (2025, 2055), [_usage("digital_signature"), _STAMPING, _crl("tsa-root")]
                ),
                "tsa-plain": _certificate("tsa-plain", "tsa-root", (2025, 2055), [_usage("digital_signature")]),
            },
            "services": {
                "crl-repo": {
                    name: {
                        "for-issuer": name,
                        "signing-key": name,
                        "simulated-update-schedule": "P1D",
                    }
                    for name in ("root", "issuing", "tsa-root")
                },
                "time-stamping": {
                    name: {"signing-cert": name, "certs-to-embed": ["tsa-root"]}
                    for name in ("tsa", "tsa-late", "tsa-plain")
                },
            },
        }
    },
}


def outside(*, rsa_tsa: bool = False) -> PKIArchitecture:
    """The authorities, made once for each run.

    Args:
        rsa_tsa: the TSA has an RSA-2048 key, as most have; else P-256, which is quick to make.
    """
    return _make(rsa_tsa)


@cache
def _make(rsa_tsa: bool) -> PKIArchitecture:  # noqa: FBT001 - functools.cache tells calls apart by how they are written
    with TemporaryDirectory() as folder:
        for name in NAMES:
            is_rsa = rsa_tsa and name.startswith("tsa")
            key = rsa.generate_private_key(65537, 2048) if is_rsa else ec.generate_private_key(ec.SECP256R1())
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            (Path(folder) / f"{name}.pem").write_bytes(pem)
        lists = {"external-url-prefix": f"http://127.0.0.1:{_lists().server_address[1]}"}
        made = CertomancerConfig(deepcopy(_CONFIGURATION) | lists, key_search_dir=folder)
    return made.get_pki_arch(ArchLabel("outside"))


def certificate(name: str) -> bytes:
    """A certificate, DER."""
    return bytes(outside().get_cert(CertLabel(name)).dump())


def signer(name: str = "signer") -> FileSigner:
    """The key of a certificate as the press takes it."""
    key: Any = load_der_private_key(private_key(name), None)
    return FileSigner(key)


def private_key(name: str) -> bytes:
    """The key of a certificate, PKCS #8 DER."""
    return bytes(outside().key_set.get_private_key(KeyLabel(name)).dump())


def crl(
    issuer: str,
    at: datetime,
    *,
    lifetime: timedelta = timedelta(days=7),
    revoked: str = "",
    reason: str | None = None,
) -> bytes:
    """A list that is issued at a moment of the caller's choice; one certificate may be revoked an hour before it."""
    made, at = outside(), at.replace(microsecond=0)
    key = made.key_set.get_asym_key(KeyLabel(issuer))
    builder = CRLBuilder(
        issuer_name=made.entities[EntityLabel(issuer)],
        issuer_key=key.private,
        signature_algo=choose_signed_digest("sha256", key.public),
        authority_key_identifier=made.get_cert(CertLabel(issuer)).key_identifier_value,
    )
    entries = []
    if revoked:
        number = made.get_cert(CertLabel(revoked)).serial_number
        gone = at - timedelta(hours=1)
        entry: dict[str, Any] = {"user_certificate": number, "revocation_date": asn1_x509.Time({"general_time": gone})}
        if reason is not None:
            entry["crl_entry_extensions"] = [{"extn_id": "crl_reason", "extn_value": reason}]
        entries = [entry]
    return bytes(builder.build_crl(int(at.timestamp()), at, at + lifetime, entries).dump())


def stamp(message_digest: bytes, at: datetime, tsa: str = "tsa", *, accuracy: Mapping[str, int] | None = None) -> bytes:
    """A token of a moment of the caller's choice, as only somebody else's authority can make it.

    Args:
        message_digest: SHA-256.
        at: the time in the token.
        tsa: whose token.
        accuracy: seconds, millis, micros; None as certomancer has it, who says nothing of it.
    """
    imprint = {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": message_digest}
    request = tsp.TimeStampReq({"version": 1, "message_imprint": imprint, "cert_req": True})
    token = answer(request.dump(), at, tsa)["time_stamp_token"]
    return bytes((token if accuracy is None else _with_accuracy(token, accuracy, tsa)).dump(force=True))


def _with_accuracy(token: Any, accuracy: Mapping[str, int], tsa: str) -> Any:
    """State an accuracy and sign again."""
    enclosed, signer_info = token["content"]["encap_content_info"], token["content"]["signer_infos"][0]
    statement = tsp.TSTInfo.load(bytes(enclosed["content"]))
    statement["accuracy"] = tsp.Accuracy(dict(accuracy))
    content = statement.dump(force=True)
    enclosed["content"] = cms.ParsableOctetString(content)
    digest = cms.CMSAttribute({"type": "message_digest", "values": [hashlib.sha256(content).digest()]})
    kept = [one for one in signer_info["signed_attrs"] if one["type"].native != "message_digest"]
    signer_info["signed_attrs"] = cms.CMSAttributes([*kept, digest])
    signer_info["signature"] = signer(tsa).sign(signer_info["signed_attrs"].untag().dump())
    return token


def answer(request: bytes, at: datetime | None, tsa: str = "tsa", *, rsa_tsa: bool = False) -> tsp.TimeStampResp:
    """What a TSA answers to a request."""
    stamper = outside(rsa_tsa=rsa_tsa).service_registry.summon_timestamper(ServiceLabel(tsa), at)
    return stamper.request_tsa_response(tsp.TimeStampReq.load(request))


# ---- a time-stamping authority over HTTP ------------------------------------------------------------------------


class TsaServer(ThreadingHTTPServer):
    """A TSA on this machine, as slow and as often out of order as the test wants.

    Attributes:
        sleep: seconds before each answer.
        is_down: answers 503.
        failures: so many requests are answered 503 before the next good one.
        garble: changes an answer on its way.
        answer: makes the answer; certomancer's by default.
        at: the moment it states; None for the machine's clock.
        asked: requests that came.
        most_at_once: requests that were being answered at the same time, at most.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, tsa: str, *, sleep: float = 0.0, at: datetime | None = None, rsa_tsa: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.tsa, self.sleep, self.at, self.rsa_tsa = tsa, sleep, at, rsa_tsa
        self.is_down = False
        self.failures = 0
        self.garble: Callable[[bytes], bytes] = bytes
        self.answer: Callable[[bytes], bytes] = self._answer
        self.asked = 0
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where it is asked."""
        return f"http://127.0.0.1:{self.server_address[1]}/tsa"

    def _answer(self, request: bytes) -> bytes:
        return bytes(answer(request, self.at, self.tsa, rsa_tsa=self.rsa_tsa).dump())

    def respond(self, request: bytes) -> bytes | None:
        """Answer a request; None for 503."""
        with self._lock:
            self.asked += 1
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            fails = self.is_down or self.failures > 0
            self.failures -= self.failures > 0
        try:
            time.sleep(self.sleep)
            return None if fails else self.garble(self.answer(request))
        finally:
            with self._lock:
                self._at_once -= 1


class _Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: TsaServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        content = self.server.respond(body)
        self.send_response(503 if content is None else 200)
        self.send_header("Content-Type", "application/timestamp-reply")
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serve_tsa(
    tsa: str = "tsa", *, sleep: float = 0.0, at: datetime | None = None, rsa_tsa: bool = False
) -> Iterator[TsaServer]:
    """Run a TSA while the block runs."""
    with TsaServer(tsa, sleep=sleep, at=at, rsa_tsa=rsa_tsa) as server, _served(server):
        yield server


@contextmanager
def _served(server: ThreadingHTTPServer) -> Iterator[None]:
    """Let a thread answer while the block runs."""
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


# ---- where revocation lists are ---------------------------------------------------------------------------------


class ListServer(ThreadingHTTPServer):
    """Publishes the lists of all authorities, made when they are asked for.

    Attributes:
        at: the moment they are issued at; None for the machine's clock.
        asked: names of the authorities whose lists were asked for.
        revoked: name of a certificate that its authority's list names.
        reason: why, if the list says so.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Publishing, bind_and_activate=False)
        self.at: datetime | None = None
        self.asked: list[str] = []
        self.revoked = ""
        self.reason: str | None = None
        self.server_bind()  # certificates name its port; until it is served, nobody answers there


class _Publishing(BaseHTTPRequestHandler):
    server: ListServer

    def do_GET(self) -> None:
        issuer = self.path.split("/")[3]
        self.server.asked.append(issuer)
        at = self.server.at or datetime.now(UTC)
        content = crl(issuer, at, revoked=self.server.revoked, reason=self.server.reason)
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@cache
def _lists() -> ListServer:
    server = ListServer()
    atexit.register(server.server_close)
    return server


@contextmanager
def serve_lists(at: datetime | None = None) -> Iterator[ListServer]:
    """Publish the lists while the block runs; from then on its port takes connections and answers none."""
    outside()
    server = _lists()
    server.at = at
    server.asked.clear()
    server.server_activate()
    with _served(server):
        yield server
