"""The bare private-key operation, which everything is measured beside."""

import hashlib
import time

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from keys.file_signer import FileSigner

_AT_ONCE = 10


def raw_rate(signer: FileSigner, seconds: float) -> tuple[float, float]:
    """Sign a digest again and again for a while; returns operations a second on the clock and on the core."""
    key, digest, count = signer.private_key, hashlib.sha256(b"document").digest(), 0
    wall, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - wall < seconds:
        for _ in range(_AT_ONCE):
            if isinstance(key, rsa.RSAPrivateKey):
                key.sign(digest, padding.PKCS1v15(), Prehashed(SHA256()))
            elif isinstance(key, ec.EllipticCurvePrivateKey):
                key.sign(digest, ec.ECDSA(Prehashed(SHA256())))
        count += _AT_ONCE
    return count / (time.perf_counter() - wall), count / (time.process_time() - cpu)
