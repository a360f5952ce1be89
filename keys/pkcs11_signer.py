"""Signing keys in a token or HSM, by PKCS #11.

A process loads a module once, opens one session with each token and logs in
once. All calls into a module go through one lock, since it is told at its start
that no two threads will call it. Whatever a token answers but a signature ends
the sessions of that module: the next use starts from nothing, so that a token
that was put back is found again. A forked process never uses its parent's
session (PKCS #11 v2.40, 6.6.1); workers are spawned.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock, RLock
from types import MappingProxyType
from typing import Any, Final

import pkcs11
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from cryptography.x509 import load_der_x509_certificate
from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters
from pkcs11.util.rsa import encode_rsa_public_key

from credential.cose import BadPublicKey, algorithm_of, load_public_key
from credential.ports import Algorithm
from keys.pkcs11_uri import TokenUri, read_token_uri
from keys.token_errors import (
    BadModule,
    KindNotInToken,
    SessionOfAnotherProcess,
    TokenKeyExists,
    TokenNotSet,
    TokenUnavailable,
    UnusableTokenKey,
    WrongPin,
)
from keys.token_pin import alone_with, read_pin

ALGORITHMS: Final = (Algorithm.RSA_2048, Algorithm.RSA_3072, Algorithm.P256)

_RSA_BITS: Final = MappingProxyType({Algorithm.RSA_2048: 2048, Algorithm.RSA_3072: 3072})
_P256_SIGNATURE_BYTES = 64  # r and s as a token gives them
_ID_BYTES = 8
_TRIES = 4
_TRIAL = b"yinzheng: does this private key belong to this public key?\n"
_PIN_TROUBLE = (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange, pkcs11.PinExpired, pkcs11.PinLocked)

# A private key that can only sign, and never leaves.
_SIGNS_ONLY: Final = MappingProxyType(
    {
        pkcs11.Attribute.PRIVATE: True,
        pkcs11.Attribute.SENSITIVE: True,
        pkcs11.Attribute.EXTRACTABLE: False,
        pkcs11.Attribute.SIGN: True,
        pkcs11.Attribute.DECRYPT: False,
        pkcs11.Attribute.UNWRAP: False,
        pkcs11.Attribute.DERIVE: False,
    }
)
_VERIFIES_ONLY: Final = MappingProxyType(
    {
        pkcs11.Attribute.PRIVATE: False,
        pkcs11.Attribute.VERIFY: True,
        pkcs11.Attribute.ENCRYPT: False,
        pkcs11.Attribute.WRAP: False,
        pkcs11.Attribute.DERIVE: False,
    }
)


class _Module:
    """One module in one process, and its sessions."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._process = os.getpid()
        self._lock = RLock()
        self._lib: Any = None
        self._sessions: dict[str, pkcs11.Session] = {}
        self._refused: set[tuple[str, bytes]] = set()
        self.ends = 0  # how often all sessions ended; a key that was found before that is found anew

    @contextmanager
    def in_use(self, token: str) -> Iterator[None]:
        """Hold the module for one piece of work with a token; whatever goes wrong in it ends all sessions.

        Raises:
            SessionOfAnotherProcess: this process was forked.
            TokenUnavailable: the token did not answer.
        """
        if os.getpid() != self._process:  # before the lock, which another thread of the parent may have held
            raise SessionOfAnotherProcess(token)
        with self._lock:
            try:
                yield
            except pkcs11.PKCS11Error as error:
                self._end()
                raise TokenUnavailable(token, type(error).__name__) from error

    def session(self, token: str, pin_file: Path | None) -> pkcs11.Session:
        """Open the one session with a token and log in, unless that is done already."""
        if token not in self._sessions:
            file, pin = read_pin(pin_file)
            if (token, pin) in self._refused:
                raise WrongPin(token, "as before")
            try:
                with alone_with(file):
                    self._start()
                    self._sessions[token] = self._lib.get_token(token_label=token).open(user_pin=pin.decode())
            except pkcs11.MultipleTokensReturned as error:
                raise UnusableTokenKey(
                    token,
                    "several tokens have that label; give each its own",
                    "多个设备使用同一标签; 请为各设备设不同标签",
                ) from error
            except _PIN_TROUBLE as error:
                self._refused.add((token, pin))
                self._end()
                raise WrongPin(token, type(error).__name__) from error
        return self._sessions[token]

    def end(self) -> None:
        """Leave all tokens; of a forked process they are another's."""
        if os.getpid() == self._process:
            with self._lock:
                self._end()

    def _start(self) -> None:
        if self._lib is not None:
            return
        try:
            self._lib = pkcs11.lib(str(self._path))
        except pkcs11.PKCS11Error as error:
            # The binding has one class for a library that is none and for a driver that cannot start.
            if type(error) is pkcs11.PKCS11Error:
                raise BadModule(self._path, str(error)) from error
            raise

    def _end(self) -> None:
        self._sessions.clear()
        self.ends += 1
        lib, self._lib = self._lib, None
        if lib is not None:
            with suppress(pkcs11.PKCS11Error):
                lib.finalize()


_modules: dict[Path, _Module] = {}
_loading = Lock()


def _module(path: Path) -> _Module:
    with _loading:
        return _modules.setdefault(path, _Module(path))


def end_sessions() -> None:
    """Leave every token that this process works with; the next use opens it anew."""
    with _loading:
        for module in _modules.values():
            module.end()


class TokenSigner:
    """A private key in a token; implements ``credential.ports.Signer``.

    Threads wait for each other; a forked process is refused.
    """

    def __init__(self, module: Path, uri: TokenUri) -> None:
        """Find the key, and try it once.

        Raises:
            UnusableTokenKey: there is no such key, or several, or it cannot be used.
            WrongPin: the token refused the PIN.
            TokenUnavailable: it does not answer.
        """
        self._module = _module(module)
        self._uri = uri
        self._found_after = -1
        self._public_key = self._repeatedly(lambda: _public_part(self._session(), uri))
        try:
            self._algorithm = algorithm_of(load_public_key(self._public_key))
        except BadPublicKey as error:
            raise UnusableTokenKey(str(uri), error.en, error.zh) from error
        if self._algorithm not in ALGORITHMS:
            raise KindNotInToken(self._algorithm, ", ".join(ALGORITHMS))
        _hold_against(self._public_key, self.sign(_TRIAL), uri)

    @property
    def algorithm(self) -> Algorithm:
        """Which kind of key this is."""
        return self._algorithm

    @property
    def public_key(self) -> bytes:
        """SubjectPublicKeyInfo, DER."""
        return self._public_key

    def sign(self, message: bytes) -> bytes:
        """Sign the message itself; the form of the signature is that of the port.

        Raises:
            TokenUnavailable: the token was removed; once it is back, the next call finds it.
            WrongPin: it came back and refuses the PIN.
            SessionOfAnotherProcess: this process was forked from the one that opened it.
        """
        return self._repeatedly(lambda: self._signature(message))

    def __repr__(self) -> str:
        return f"TokenSigner({self._algorithm}, {self._uri.token!r})"

    def _repeatedly(self, work: Callable[[], bytes]) -> bytes:
        """Do it with the key at hand; if the token fails, again from nothing.

        So a session that was merely lost, to a restarted HSM, is opened anew.
        """
        for _ in range(_TRIES - 1):
            with suppress(TokenUnavailable):
                return self._once(work)
        return self._once(work)

    def _once(self, work: Callable[[], bytes]) -> bytes:
        with self._module.in_use(self._uri.token):
            if self._found_after != self._module.ends:
                self._find()
            return work()

    def _session(self) -> pkcs11.Session:
        return self._module.session(self._uri.token, self._uri.pin_file)

    def _find(self) -> None:
        key = _the_only(self._session(), pkcs11.ObjectClass.PRIVATE_KEY, self._uri)
        if key[pkcs11.Attribute.ALWAYS_AUTHENTICATE]:
            raise UnusableTokenKey(
                str(self._uri),
                "it wants its PIN for every signature, which no batch can give; make a key without ALWAYS_AUTHENTICATE",
                "每次签名都要求输入 PIN, 无法批量签发; 请创建不带 ALWAYS_AUTHENTICATE 属性的密钥",
            )
        self._key: Any = key
        self._found_after = self._module.ends

    def _signature(self, message: bytes) -> bytes:
        if self._algorithm is Algorithm.P256:
            # The digest is made here: not every token has ECDSA with a digest of its own.
            raw: bytes = self._key.sign(hashlib.sha256(message).digest(), mechanism=pkcs11.Mechanism.ECDSA)
            if len(raw) != _P256_SIGNATURE_BYTES:
                raise TokenUnavailable(self._uri.token, f"a signature of {len(raw)} bytes")
            half = _P256_SIGNATURE_BYTES // 2
            return encode_dss_signature(int.from_bytes(raw[:half]), int.from_bytes(raw[half:]))
        return bytes(self._key.sign(message, mechanism=pkcs11.Mechanism.SHA256_RSA_PKCS))


class TokenPlace:
    """Keeps keys in one token; implements ``keys.places.KeyPlace``."""

    def __init__(self, module: Path | None, token: str, pin_file: Path | None) -> None:
        """Remember where the token is; nothing is opened yet.

        Args:
            module: the driver, a shared library; None if keys in tokens are not used.
            token: label of the token that new keys are made in.
            pin_file: of mode 600, holds the PIN and nothing else.
        """
        self._path = module
        self._token = token
        self._pin_file = pin_file

    def create(self, name: str, algorithm: Algorithm) -> str:
        """Make a key pair in the token; the private part is never seen outside.

        Raises:
            TokenKeyExists: an object has that name.
            KindNotInToken: keys of that kind are not made in tokens.
            UnusableTokenKey: the token made one that could leave it; it was destroyed again.
            and what :class:`TokenSigner` raises.
        """
        if algorithm not in ALGORITHMS:
            raise KindNotInToken(algorithm, ", ".join(ALGORITHMS))
        if not self._token:
            raise TokenNotSet("YINZHENG_PKCS11_TOKEN")
        module = _module(self._driver())
        uri = TokenUri(self._token, name, os.urandom(_ID_BYTES))
        with module.in_use(self._token):
            session = module.session(self._token, self._pin_file)
            if any(True for _ in session.get_objects({pkcs11.Attribute.LABEL: name})):
                raise TokenKeyExists(self._token, name)
            # The same login, for that belongs to the process; only this session may write.
            writing = session.token.open(rw=True)
            public, private = _generate(writing, algorithm, uri)
            if private[pkcs11.Attribute.EXTRACTABLE] or not private[pkcs11.Attribute.SENSITIVE]:
                private.destroy()
                public.destroy()
                raise UnusableTokenKey(
                    str(uri),
                    "the token would let it be copied; check its settings",
                    "设备允许导出该私钥; 请检查设备设置",
                )
            writing.close()
        return str(uri)

    def open(self, reference: str) -> TokenSigner:
        """Give a key, ready to sign; raises what :class:`TokenSigner` does.

        Raises:
            BadTokenUri: the reference is no PKCS #11 URI of a key.
        """
        uri = read_token_uri(reference)
        pin_file = uri.pin_file or self._pin_file
        return TokenSigner(self._driver(), TokenUri(uri.token, uri.object, uri.id, pin_file))

    def _driver(self) -> Path:
        if self._path is None:
            raise TokenNotSet("YINZHENG_PKCS11_MODULE")
        return self._path


def _generate(session: pkcs11.Session, algorithm: Algorithm, uri: TokenUri) -> tuple[Any, Any]:
    """Make a key pair that stays in the token: public part, private part."""
    named: dict[str, Any] = {
        "label": uri.object,
        "id": uri.id,
        "store": True,
        "public_template": dict(_VERIFIES_ONLY),
        "private_template": dict(_SIGNS_ONLY),
    }
    if algorithm is Algorithm.P256:
        curve = {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
        made = session.create_domain_parameters(pkcs11.KeyType.EC, curve, local=True).generate_keypair(**named)
    else:
        made = session.generate_keypair(pkcs11.KeyType.RSA, _RSA_BITS[algorithm], **named)
    return made[0], made[1]


def _the_only(session: pkcs11.Session, kind: pkcs11.ObjectClass, uri: TokenUri) -> Any:
    found = _all(session, kind, uri)
    if len(found) != 1:
        raise UnusableTokenKey(
            str(uri),
            f"the token has {len(found)} private keys of that name; check label and id",
            f"设备中有 {len(found)} 个符合的私钥; 请核对标签和 id",
        )
    return found[0]


def _all(session: pkcs11.Session, kind: pkcs11.ObjectClass, uri: TokenUri) -> list[Any]:
    wanted: dict[pkcs11.Attribute, Any] = {pkcs11.Attribute.CLASS: kind}
    if uri.object:
        wanted[pkcs11.Attribute.LABEL] = uri.object
    if uri.id:
        wanted[pkcs11.Attribute.ID] = uri.id
    return list(session.get_objects(wanted))


def _public_part(session: pkcs11.Session, uri: TokenUri) -> bytes:
    """Read the public key, SPKI, DER: of the public object, or of the certificate that the token has for the key."""
    for one in _all(session, pkcs11.ObjectClass.PUBLIC_KEY, uri)[:1]:
        if one.key_type is pkcs11.KeyType.EC:
            return bytes(encode_ec_public_key(one))
        if one.key_type is pkcs11.KeyType.RSA:
            return _spki(load_der_public_key(encode_rsa_public_key(one)))  # it reads PKCS #1, too
    for one in _all(session, pkcs11.ObjectClass.CERTIFICATE, uri)[:1]:
        return _spki(load_der_x509_certificate(one[pkcs11.Attribute.VALUE]).public_key())
    raise UnusableTokenKey(
        str(uri),
        "the token has no public key or certificate of that name beside it; put one there",
        "设备中没有同名的公钥或证书; 请先写入其一",
    )


def _hold_against(public_key: bytes, signature: bytes, uri: TokenUri) -> None:
    """Hold one signature against the public part: two objects of a token may have one label by mistake."""
    key = load_public_key(public_key)
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, _TRIAL, padding.PKCS1v15(), SHA256())
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, _TRIAL, ec.ECDSA(SHA256()))
    except InvalidSignature as error:
        raise UnusableTokenKey(
            str(uri),
            "the public key beside it is another's; name the key by its id",
            "同名的公钥不属于该私钥; 请用 id 指明密钥",
        ) from error


def _spki(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
