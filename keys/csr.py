"""Certification requests (PKCS #10, RFC 2986) for keys wherever they are kept.

``cryptography`` signs requests with keys that it holds itself, which a token's are
not; so the request is put together here and signed through the port.
"""

from asn1crypto.algos import SignedDigestAlgorithm
from asn1crypto.csr import CertificationRequest, CertificationRequestInfo, CRIAttribute, CRIAttributes
from asn1crypto.keys import PublicKeyInfo
from asn1crypto.pem import armor
from asn1crypto.x509 import Extension, Extensions, KeyUsage, Name

from credential.ports import Algorithm, Signer

_NAME_LENGTH = 64  # ub-organization-name and ub-common-name, RFC 5280, A.1; some count a common name in bytes
_SIGNATURES = {
    Algorithm.P256: "sha256_ecdsa",
    Algorithm.P384: "sha384_ecdsa",
    Algorithm.ED25519: "ed25519",
}


def write_request(signer: Signer, name: str, uscc: str) -> bytes:
    """Ask for a certificate that signs documents for an organisation, PEM.

    Args:
        signer: holds the key, which signs the request: proof that whoever asks has it.
        name: of the organisation, as it is printed; a CA takes at most 64 characters, the rest is cut.
        uscc: unified social credit code, which becomes organizationIdentifier.

    Raises:
        UnavailableError: the key's place does not answer.
    """
    subject = Name.build(
        {
            "country_name": "CN",
            "organization_name": name[:_NAME_LENGTH],
            "organization_identifier": uscc,
            "common_name": name.encode()[:_NAME_LENGTH].decode(errors="ignore"),
        }
    )
    usage = Extension(
        {"extn_id": "key_usage", "critical": True, "extn_value": KeyUsage({"digital_signature", "non_repudiation"})}
    )
    wanted = CRIAttribute({"type": "extension_request", "values": [Extensions([usage])]})
    asked = CertificationRequestInfo(
        {
            "version": "v1",
            "subject": subject,
            "subject_pk_info": PublicKeyInfo.load(signer.public_key),
            "attributes": CRIAttributes([wanted]),
        }
    )
    algorithm = SignedDigestAlgorithm({"algorithm": _SIGNATURES.get(signer.algorithm, "sha256_rsa")})
    request = CertificationRequest(
        {
            "certification_request_info": asked,
            "signature_algorithm": algorithm,
            "signature": signer.sign(asked.dump()),
        }
    )
    pem: bytes = armor("CERTIFICATE REQUEST", request.dump())
    return pem
