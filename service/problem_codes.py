"""The one table from error code to HTTP status; a test fails when an error of the project is not in it."""

from collections.abc import Mapping

from credential.errors import ConfigError, Error, InputError, RefusedError, UnavailableError

FAMILIES: Mapping[type[Error], int] = {InputError: 422, RefusedError: 409, UnavailableError: 503, ConfigError: 500}
"""What a family is answered with where the table below says nothing else."""

_CODES: Mapping[int, str] = {
    # The request itself cannot be read.
    400: "bad-idempotency-key bad-request bad-witness-request sizes-crossed",
    401: "bad-token not-signed-in",
    # The rule is about who asks: another person, or another token, may.
    403: (
        "claim-code-refused demo-folder log-not-signed missing-scope not-handed-out not-your-proposal "
        "photo-not-shown same-person"
    ),
    # What the request is about is not there, or belongs to another issuer.
    404: (
        "not-found not-published unknown-batch unknown-chunk unknown-download unknown-issuer unknown-log "
        "unknown-person unknown-proposal unknown-serial unknown-template unknown-token unknown-witness"
        " unknown-erasure"
    ),
    405: "method-not-allowed",
    406: "not-acceptable",
    408: "body-too-slow",
    # A rule says no; the sentence says what has to change first.
    409: (
        "already-erased already-exists already-pinned already-proposed already-revoked already-superseded "
        "answer-shown-once backup-needed bad-signature batch-state binding-changed cannot-replay certificate-needed "
        "change-not-allowed changes-owed data-folder-in-use digest-differs erase-after-printing erasure-decided "
        "erasure-waits key-file-exists key-not-announced key-of-the-service key-state key-still-signs "
        "kind-not-in-token listed-as-revoked log-fork-found log-fork-seen log-shrank mirror-ahead mirror-differs "
        "no-pending-key no-root-here nonconforming-document not-a-demo-folder not-approved not-correctable "
        "not-logged not-own-trust-list not-printed not-stamped-yet not-the-draft not-to-hand-over "
        "nothing-to-hand-over nothing-to-issue nothing-to-recover other-database other-old-size own-log-key "
        "predecessor-changed prefix-changed proposal-decided public-url-fixed record-erased refused request-runs "
        "restored-forked root-in-data-folder root-not-confirmed root-still-needed same-name serials-exhausted "
        "signing-cert-revoked state-moved status-is-final succession-under-way template-changing title-taken "
        "token-key-exists too-few-witnesses trust-list-expired trust-list-not-signed trust-list-older "
        "trust-list-twice witness-exists witness-taken"
    ),
    413: "body-too-large document-too-large file-too-large",
    415: "unsupported-media-type",
    416: "range-outside",
    # The request can be read, and a value in it is bad.
    422: (
        "another-person artwork-too-heavy bad-blob-name bad-cbor bad-cert-number bad-chain bad-checkpoint "
        "bad-claim-code bad-claims bad-cose-message bad-date bad-day bad-decision bad-division bad-encoding "
        "bad-envelope bad-history-subject bad-id bad-id-number bad-identifier bad-input bad-key-name bad-leaf "
        "bad-log-proof bad-monitor-state bad-name bad-named-key bad-note bad-opening bad-outside-checkpoint bad-photo "
        "bad-photo-archive bad-proof bad-public-address bad-public-key bad-qr-text bad-retention bad-root-file "
        "bad-serial bad-set bad-share bad-split bad-status-monitor-state bad-status-token bad-symbol-text bad-table "
        "bad-template-name bad-timestamp bad-token-request bad-trust-list bad-uscc bad-verification-code "
        "bad-verify-request bad-witness-address bad-witness-name cannot-copy different-logs duplicate-heading "
        "effective-before-issue effective-in-future empty-file encrypted-workbook field-twice file-exists "
        "id-number-15-digits id-number-birth-date id-number-characters id-number-check-digit id-number-length "
        "incomplete-ban invalid-request issuer-needed key-used-otherwise log-not-consistent macro-workbook "
        "missing-columns missing-file missing-glyph mixed-up-certificate name-character name-lost-character "
        "name-missing name-mixes-latin name-needed name-too-long no-backup no-certificate-in-file no-header-row "
        "no-retention no-rows no-such-role no-template not-a-workbook not-confirmed not-our-key not-xlsx-name "
        "note-needed nothing-changed nothing-named nothing-to-verify old-workbook other-organization overflow "
        "photo-damaged photo-not-base64 qr-text-too-long reader-died reader-too-slow record-refused "
        "role-made-elsewhere search-by-one several-issuers several-sheets share-of-another-set share-twice "
        "shares-disagree shares-of-another-key sheet-or-set status-expired too-few-shares too-many-rows trial-default "
        "trust-needed unfit-certificate unknown-erasure-reason unknown-field unknown-qr-format unknown-reason "
        "unknown-sample unknown-shape unknown-sheet unknown-sheet-kind unknown-signing-cert unreadable-artwork "
        "unreadable-file unreadable-verifying-file unregistered-person unsafe-workbook unwritable-file web-page "
        "where-shares-go wrong-extension wrong-kind "
        "bad-compromise-time bad-evidence bad-moment evidence-unreadable role-needed role-not-rolled wrong-confirmation"
    ),
    429: "too-many-requests",
    # The installation is at fault; people are told the code only, the log has the place.
    500: (
        "address-taken bad-certificate-chain bad-configuration bad-database-address bad-issuer-settings bad-key-file "
        "bad-key-places-file bad-key-plug-in bad-master-key bad-mirror-address bad-pinned-roots bad-public-url "
        "bad-schema bad-serial-pattern bad-setting bad-template bad-token-module bad-token-uri bad-tsa-url "
        "bad-verifier-key bad-witness-file database-not-migrated database-rules-changed database-too-new "
        "different-qr-symbol dump-program-missing error fault folder-too-new issuing-keys-disagree key-kept-elsewhere "
        "key-not-held key-store-locked keys-needed log-forked log-rolled-back missing-bundle missing-font missing-key "
        "missing-passphrase no-data-folder no-issuing-keys no-key-places no-timestamp-authority no-verifier-key "
        "no-witness nothing-pinned nothing-served private-file-open-to-others qr-too-small role-too-mighty "
        "roles-not-known status-slots-damaged status-tampered store-not-create-only template-name-twice token-not-set "
        "trial-signature-failed unknown-key-place unknown-qr-symbol unknown-setting unreadable-private-file "
        "unsupported-qr-symbol unusable-pdf-key unusable-token-key wrong-font-digest wrong-note-key wrong-passphrase "
        "wrong-signing-key wrong-status-key wrong-token-pin"
    ),
    501: "status-history",
    503: (
        "backup-damaged backup-failed blobs-unavailable ca-revocations-damaged database-copy-failed "
        "database-unavailable dump-failed file-trouble foreign-document history-broken history-tampered intake-busy "
        "log-damaged log-unreachable mirror-unavailable missing-blob no-checkpoint no-revocation-list no-timestamp "
        "not-cosigned not-ready not-witnessed pack-damaged published-file-damaged reader-unavailable "
        "restore-unfinished restored-behind sandbox-unavailable sealed-data-damaged service-stops status-list-damaged "
        "template-version-lost time-stamping-failed token-forked token-unavailable trust-draft-damaged "
        "trust-list-unusable unavailable unfit-document unknown-reserve-records unknown-status-list verifier-busy "
        "witness-damaged worker-died wrong-pack"
    ),
}

STATUS: Mapping[str, int] = {code: status for status, codes in _CODES.items() for code in codes.split()}
"""HTTP status by error code."""


def status_of(error: Error) -> int:
    """The HTTP status that an error is answered with."""
    family = next((status for kind, status in FAMILIES.items() if isinstance(error, kind)), 500)
    return STATUS.get(error.code, family)
