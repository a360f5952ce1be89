"""What a verifier must accept, and what it must refuse at which step; each case changes one thing."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import cbor2

from credential.cbor import decode, encode
from credential.cose import key_id, sign_message
from credential.dsse import sign_envelope
from credential.leaves import key_leaf, status_list_leaf, trust_list_leaf
from credential.note import Checkpoint, sign_checkpoint
from credential.qr import QrClaims, encode_qr_claims
from credential.trust import PAYLOAD_TYPE, Role
from credential.trust_list import Witness, write_trust_list
from registry.status.token_list import LIFETIME, sign_cwt, sign_jwt
from tests.interop.js_material import (
    OLD_ORIGIN,
    ROOTS,
    STRANGE_ROOT,
    STRANGER,
    URI,
    Material,
    base64,
    cosigned,
    digits,
    doubled,
    flip,
    jwt,
    relisted,
    signed_note,
    swapped,
    without_hash,
)
from tests.verifier.world import (
    LOG_KEY,
    NOW,
    ORIGIN,
    OTHER_LOG_KEY,
    QR_KEY,
    SLOTS,
    STATUS_BASE,
    STATUS_KEY,
    Log,
)

Given = Mapping[str, Any]
Cases = Iterator[tuple[str, str | None, Given]]
"""Name, the step that refuses it (None: accepted), what is given."""

W1, W2 = "w1.example.org", "w2.example.org"


def good(m: Material) -> Cases:
    """All that we issue."""
    bare = replace(m.qr, title="", level="", qualified_on=None)
    moved = replace(m.trust, roots=(STRANGE_ROOT.public_key,), threshold=1)
    listed = m.log.proof(status_list_leaf(URI, NOW, m.list().digest))
    log_key = {"role": "log", "owner": "", "spki": base64(LOG_KEY.public_key)}
    yield "paper", None, m.paper()
    yield "paper with a name cut short", None, m.paper(text=m.said(name="张", name_is_cut=True))
    yield "paper without title, level and day", None, m.paper(text=m.text(_signed(bare)))
    yield "paper with a JWT", None, m.paper(token=base64(sign_jwt(m.list(), STATUS_KEY)))
    yield "a file", None, m.file()
    yield "a file that expires", None, m.claimed(expires_on=date(2030, 1, 1))
    yield "a file on its last day", None, m.claimed(expires_on=date(2026, 11, 22))
    yield "a trust list of a known version", None, {"check": "trust", "seen": 4}
    yield "a trust list that all roots signed", None, _list(m.envelope(m.trust, ROOTS))
    yield "a change of roots", None, _list(m.envelope(moved, [*ROOTS[:2], STRANGE_ROOT]))
    yield "a trust list without former logs", None, {"check": "trust"} | m.trusting(former_logs=())
    yield "a status list", None, m.asked()
    yield "a status list of one bit a slot", None, m.asked(token=base64(m.token(bits=1, data=bytes(64))))
    yield "a status list in the log", None, m.asked(proof=listed)
    yield "a checkpoint", None, _note(m.log.checkpoint())
    yield "a checkpoint with a stranger's line", None, _note(m.log.checkpoint() + "— x.example AAAAAAAA\n")
    yield "a checkpoint of a former log", None, _note(signed_note(OLD_ORIGIN, 3, bytes(32)))
    yield "the last checkpoint of a former log", None, _note(signed_note(OLD_ORIGIN, 4, b"r" * 32))
    key_proof = m.log.proof(key_leaf("log", "", LOG_KEY.public_key))
    yield "a log key in the log", None, {"check": "key", "proof": key_proof} | log_key
    list_proof = m.log.proof(trust_list_leaf(b"an older list"))
    yield "a list in the log", None, {"check": "listed", "proof": list_proof, "older": base64(b"an older list")}
    for old in range(9):
        for new in range(max(old, 1), 9):
            yield f"growth from {old} to {new}", None, m.growth(old, new)


def bad_texts(m: Material) -> Cases:
    """What is not the text of a QR code of ours."""
    text = m.issued.qr_text
    yield "another page", "qr-text", m.paper(text="https://zs.example.org/")
    yield "no number", "qr-text", m.paper(text=text.partition("#")[0])
    yield "a code with U", "qr-text", m.paper(text=text.replace("/c/7", "/c/U"))
    yield "a small letter in the code", "qr-text", m.paper(text=text.replace("K9Q", "k9Q"))
    yield "capitals in the host", "qr-text", m.paper(text=text.replace("https://z", "https://Z"))
    yield "a format to come", "qr-text", m.paper(text=text.replace("#1", "#2"))
    yield "a leading zero", "qr-text", m.paper(text=text.replace("#1", "#10"))
    yield "a scanner that stopped early", "qr-text", m.paper(text=text[:-9])
    yield "a line end behind it", "qr-text", m.paper(text=text + "\n")
    yield "another site", "origin", m.paper(text=text.replace("https://", "https://x."))


def bad_messages(m: Material) -> Cases:
    """What is not signed by the issuer's key, or not in the one form."""
    kid = key_id(QR_KEY.public_key)

    def with_part(**parts: Any) -> Given:
        return m.paper(text=m.message(**parts))

    ended, begun = {"valid_until": NOW - timedelta(days=40)}, NOW - timedelta(days=900)
    yield "the last bit", "signature", m.paper(text=digits(m.issued.qr_text, lambda number: number ^ 1))
    yield "a byte behind it", "cose", m.paper(text=m.text(m.sent + b"\0"))
    yield "an unprotected header", "cose", with_part(unprotected={1: 1})
    yield "no key identifier", "cose", with_part(protected=encode({1: -7}))
    yield "a third header", "cose", with_part(protected=encode({1: -7, 4: kid, 5: 1}))
    yield "an empty protected header", "cose", with_part(protected=b"")
    yield "a short key identifier", "cose", with_part(protected=encode({1: -7, 4: kid[:7]}))
    yield "another algorithm", "signature", with_part(protected=encode({1: -8, 4: kid}))
    yield "a signature in DER", "signature", with_part(signature=QR_KEY.sign(b""))
    yield "no signature", "signature", with_part(signature=b"")
    yield "r and s both zero", "signature", with_part(signature=bytes(64))
    yield "another name", "signature", with_part(payload=encode_qr_claims(replace(m.qr, name="李四")))
    yield "a key that nobody knows", "key", m.paper(text=m.said(STRANGER))
    yield "a status key under a QR code", "key", m.paper(text=m.said(STATUS_KEY))
    yield "another issuer named", "key", m.paper(text=m.said(issuer="11330299MB0T00099X"))
    yield "issued before the key", "key", m.paper(text=m.said(issued_at=begun))
    yield "issued after the key's end", "key", m.paper() | m.with_key(Role.QR, **ended)
    yield "a stolen key", "key", m.paper() | m.with_key(Role.QR, compromised_since=NOW)


def bad_claims(m: Material) -> Cases:
    """Well signed, and yet no claims, or those of something else."""
    payload = encode_qr_claims(m.qr)
    backwards = dict(reversed(list(decode(payload).items())))

    def signed(content: bytes) -> Given:
        return m.paper(text=m.text(sign_message(content, QR_KEY)))

    def full(key: int, value: Any) -> Given:
        return m.raw_claims(lambda claims: claims.update({key: value}))

    identifier = m.issued.claims.identifier
    wrong_check = identifier[:-1] + ("0" if identifier[-1] != "0" else "1")
    code = m.issued.claims.verification_code
    yield "full claims in a QR code", "claims", signed(m.claims)
    yield "a claim too many", "claims", signed(encode(decode(payload) | {12: 1}))
    yield "claims of indefinite length", "claims", signed(b"\xbf" + payload[1:] + b"\xff")
    yield "a number in a longer form", "claims", signed(payload.replace(b"\x00\x02", b"\x00\x18\x02", 1))
    yield "claims out of order", "claims", signed(cbor2.dumps(backwards))
    yield "a text that is not UTF-8", "claims", signed(payload.replace(m.qr.name[0].encode(), b"\xff\xff\xff", 1))
    yield "a day that does not exist", "claims", full(10, "2026-02-30")
    yield "no salt", "claims", m.raw_claims(lambda claims: claims.pop(17))
    yield "a short salt", "claims", full(17, bytes(15))
    yield "an unknown claim", "claims", full(18, 1)
    yield "a slot beyond the list", "claims", full(13, 2**20)
    yield "a text where a number stands", "claims", full(9, "1")
    yield "a control character", "claims", full(2, "示例\x00市")
    yield "a holder with an address", "claims", m.raw_claims(lambda claims: claims[7].update({5: "x"}))
    yield "an empty field", "claims", m.raw_claims(lambda claims: claims[8].update({"level": ""}))
    yield "the identifier of another version", "claims", full(4, 2)
    yield "a wrong check character", "claims", full(6, wrong_check)
    yield "the QR code of other claims", "compare", m.file(text=m.said(claims_digest=bytes(32)))
    yield "the QR code of another serial", "compare", m.file(text=m.said(serial="33029920260520009999"))
    yield "the code of another certificate", "compare", m.file(text=m.issued.qr_text.replace(code, "0" * 16))
    yield "a day too late", "expired", m.claimed(expires_on=date(2026, 11, 21))


def bad_proofs(m: Material) -> Cases:
    """What does not show that a leaf is in the log."""
    proof = m.log.proof(m.issue_leaf)
    rewritten = signed_note(ORIGIN, len(m.log.leaves), bytes(32))
    yield "a file that was never sealed", "proof", m.file(document=base64(m.issued.document + b"\n"))
    yield "the proof of another leaf", "proof", m.file(proof=m.log.proof(m.seal_leaf))
    yield "another index", "proof", m.file(proof=proof.replace("index 1", "index 2"))
    yield "an index beyond the tree", "proof", m.file(proof=proof.replace("index 1", "index 99"))
    yield "an index with a zero", "proof", m.file(proof=proof.replace("index 1", "index 01"))
    yield "a proof a hash short", "proof", m.file(proof=without_hash(proof))
    yield "another version of proofs", "proof", m.file(proof=proof.replace("@v1", "@v2"))
    yield "no proof", "proof", m.file(seal="")
    yield "a proof under another tree", "proof", m.file(proof=swapped(proof, rewritten))


def bad_checkpoints(m: Material) -> Cases:
    """What the log did not sign, or too few have seen."""
    size, note, alone = len(m.log.leaves), m.log.checkpoint(), Log.checkpoint(m.log)
    forked = Checkpoint(ORIGIN, size, bytes(32))
    their_line = signed_note(ORIGIN, size, bytes(32)).split("\n\n")[1].split("\n", 1)[1]
    itself = (Witness(W1, LOG_KEY.public_key[-32:]),)
    own = cosigned(alone, W1, key=LOG_KEY)
    yield "a checkpoint by another key", "checkpoint", _note(signed_note(ORIGIN, size, bytes(32), OTHER_LOG_KEY))
    yield "a checkpoint of another log", "checkpoint", _note(signed_note("x.example/log", size, bytes(32)))
    yield "a former log that has grown", "checkpoint", _note(signed_note(OLD_ORIGIN, 5, bytes(32)))
    yield "another end of a former log", "checkpoint", _note(signed_note(OLD_ORIGIN, 4, bytes(32)))
    yield "a size that was changed", "checkpoint", _note(note.replace(f"\n{size}\n", f"\n{size + 1}\n"))
    yield "a checkpoint without its line end", "checkpoint", _note(note[:-1])
    yield "a checkpoint without signatures", "checkpoint", _note(note[: note.index("\n\n") + 1])
    yield "a stolen log key", "checkpoint", _note(note) | m.with_key(Role.LOG, compromised_since=NOW)
    yield "one witness of two", "cosignatures", _note(cosigned(alone, W1))
    later = NOW + timedelta(days=1)
    yield "one witness twice", "cosignatures", _note(cosigned(cosigned(alone, W1), W1, at=later))
    yield "a fork that nobody witnessed", "cosignatures", _note(sign_checkpoint(forked, LOG_KEY))
    yield "cosignatures of another tree", "cosignatures", _note(alone + their_line)
    is_itself = m.trusting(witnesses=itself, witness_threshold=1)
    yield "a witness that is the log itself", "cosignatures", _note(own) | is_itself
    yield "a log that was rewritten", "consistency", m.growth(3, 7, before=signed_note(ORIGIN, 3, bytes(32)))
    yield "a log that shrank", "consistency", m.growth(3, 7, after=signed_note(ORIGIN, 2, bytes(32)))
    yield "two trees of one size", "consistency", m.growth(8, 8, after=signed_note(ORIGIN, 8, bytes(32)))
    hashes = m.growth(3, 7)["hashes"]
    yield "a growth proof a hash short", "consistency", m.growth(3, 7, hashes=hashes[:-1])
    yield "a growth proof a hash long", "consistency", m.growth(3, 7, hashes=[*hashes, base64(bytes(32))])
    yield "a growth proof mixed up", "consistency", m.growth(3, 7, hashes=hashes[::-1])


def bad_trust_lists(m: Material) -> Cases:
    """What too few roots have signed, or makes no sense."""
    foreign = replace(m.trust, roots=(STRANGE_ROOT.public_key,), threshold=1)
    payload = write_trust_list(m.trust)

    def changed(change: Callable[[dict[str, Any]], Any]) -> Given:
        return {"check": "trust"} | relisted(m, change)

    yield "one root of two", "trust-list", _list(m.envelope(m.trust, ROOTS[:1]))
    yield "one root twice", "trust-list", _list(doubled(m.envelope(m.trust, ROOTS[:1])))
    yield "roots that nobody pinned", "trust-list", _list(m.envelope(foreign, [STRANGE_ROOT]))
    yield "new roots that did not sign", "trust-list", _list(m.envelope(foreign))
    yield "an older trust list", "trust-list", {"check": "trust", "seen": 5}
    yield "an expired trust list", "trust-list", {"check": "trust", "now": int(m.trust.expires.timestamp())}
    yield "an envelope in another form", "trust-list", _list(m.envelope(m.trust).replace(b"\n ", b"\n  "))
    yield "another payload type", "trust-list", _list(sign_envelope("text/plain", payload, ROOTS[:2]))
    yield "a payload with a space", "trust-list", _list(sign_envelope(PAYLOAD_TYPE, payload + b" ", ROOTS[:2]))
    yield "an unknown member", "trust-list", changed(lambda told: told.update({"extra": 1}))
    yield "an empty member", "trust-list", changed(lambda told: told.update({"former_logs": []}))
    yield "another format", "trust-list", changed(lambda told: told.update({"format": "yinzheng-trust-list/2"}))
    yield "an unknown role", "trust-list", changed(lambda told: told["keys"][0].update({"role": "all"}))
    twice = {"role": "qr"}
    yield "a key in two roles", "trust-list", changed(lambda told: told["keys"].append(told["keys"][0] | twice))
    yield "a key of nobody", "trust-list", changed(lambda told: told["keys"][0].update({"issuer": "X" * 18}))
    yield "a key without an issuer", "trust-list", changed(lambda told: told["keys"][0].update({"issuer": ""}))
    yield (
        "a key of another algorithm",
        "trust-list",
        changed(lambda told: told["keys"][0].update({"algorithm": "p-384"})),
    )
    yield "a threshold of none", "trust-list", changed(lambda told: told.update({"threshold": 0}))
    yield "a time without zone", "trust-list", changed(lambda told: told.update({"expires": "2027-01-01T00:00:00"}))
    yield "too many witnesses demanded", "trust-list", changed(lambda told: told.update({"witness_threshold": 9}))


def bad_status_lists(m: Material) -> Cases:
    """What says that a certificate is not good, and what says nothing."""

    def paper(token: bytes) -> Given:
        return m.paper(token=base64(token))

    def as_jwt(header: Given, claims: Given) -> Given:
        return m.paper(token=jwt(m, header, claims))

    later = NOW + timedelta(minutes=6)
    elsewhere = base64(m.token(sub="https://x.example/status/0"))
    behind = {"bits": 2, "lst": "eJxjAAAAAQABAAAA"}  # one zero byte, compressed, and three bytes more
    yield "a revoked certificate", "status", paper(m.token(values={77: 1}))
    yield "a suspended certificate", "status", m.file(token=base64(m.token(values={77: 2})))
    yield "a superseded one", "status", m.file(token=base64(sign_jwt(m.list(values={77: 3}), STATUS_KEY)))
    yield "a list a day old", "status-expired", paper(m.token(iat=NOW - LIFETIME, exp=NOW))
    yield "a list of tomorrow", "status-list", paper(m.token(iat=later))
    yield "the list of another number", "status-list", paper(m.token(sub=f"{STATUS_BASE}/1"))
    yield "the list of another site", "status-list", m.file(token=elsewhere)
    yield "a slot that the list has not", "status-list", m.asked(slot=SLOTS)
    yield "a list by a stranger", "key", paper(sign_cwt(m.list(), STRANGER))
    yield "a list by the QR key", "key", paper(sign_cwt(m.list(), QR_KEY))
    yield "a list under a stolen key", "key", m.paper() | m.with_key(Role.STATUS, compromised_since=NOW)
    yield "a list under a key that ended", "key", m.paper() | m.with_key(Role.STATUS, valid_until=NOW)
    yield "a list with a bit changed", "signature", paper(flip(m.token(), -1))
    yield "a list cut off", "status-list", paper(m.token()[:-1])
    yield "claims for a list", "status-list", paper(sign_message(m.claims, STATUS_KEY))
    yield "a list that inflates beyond bounds", "status-list", paper(m.token(data=bytes(2 << 20)))
    yield "a JWT of another type", "status-list", as_jwt({"typ": "JWT"}, {})
    yield "a JWT that says it is unsigned", "status-list", as_jwt({"alg": "none"}, {})
    yield "a JWT with critical headers", "status-list", as_jwt({"crit": ["x"]}, {})
    yield "a JWT without its end", "status-list", as_jwt({}, {"exp": None})
    yield "a JWT without ttl", "status-list", as_jwt({}, {"ttl": None})
    yield "a JWT of three bits", "status-list", as_jwt({}, {"status_list": {"bits": 3, "lst": ""}})
    yield "bytes behind the list", "status-list", as_jwt({}, {"status_list": behind})
    unseen = m.log.proof(status_list_leaf(URI, NOW, m.list().digest))
    yield "a list that the log never saw", "proof", m.asked(token=base64(m.token(values={})), proof=unseen)


GROUPS: tuple[Callable[[Material], Cases], ...] = (
    good,
    bad_texts,
    bad_messages,
    bad_claims,
    bad_proofs,
    bad_checkpoints,
    bad_trust_lists,
    bad_status_lists,
)


def _signed(qr: QrClaims) -> bytes:
    return sign_message(encode_qr_claims(qr), QR_KEY)


def _note(note: str) -> dict[str, Any]:
    return {"check": "checkpoint", "note": note}


def _list(envelope: bytes) -> dict[str, Any]:
    return {"check": "trust", "envelope": base64(envelope)}
