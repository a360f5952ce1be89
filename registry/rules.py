"""What the database refuses, table by table; the reasons stand beside the rules.

Importing this gathers every table of the registry into the metadata.
"""

import registry.log.tables
import registry.service_tables
import registry.status.tables
import registry.tables  # noqa: F401 - for their tables
from registry.triggers import Rules

_NUMBERED_ROW = (
    "SELECT 1 FROM batch_row r JOIN batch b ON b.id = r.batch_id WHERE r.batch_id = NEW.batch_id "
    "AND r.row_number = NEW.row_number AND r.state = 'numbered' AND r.issuer_id = NEW.issuer_id "
    "AND r.serial = NEW.serial AND r.version = NEW.version AND b.state <> 'submitted'"
)

_IN_PACK_OF_ITS_CHUNK = (
    "SELECT 1 FROM credential c JOIN chunk k ON k.batch_id = c.batch_id AND k.number = c.chunk_number "
    "JOIN pack p ON p.name = k.pack_name WHERE c.id = NEW.credential_id AND k.state = 'issued' AND p.id = NEW.pack_id"
)

_RULES_OF_ISSUING = (
    Rules("person", mutable=("name",)),
    Rules(
        "counter",
        mutable=("next_sequence",),
        refused_updates={"only_grows": "NEW.next_sequence < OLD.next_sequence"},
    ),
    Rules("number_range"),
    Rules(
        "batch",
        # Nothing of a batch is edited: an edited batch is another batch, approved anew.
        # But what intake found is written anew without a person who was erased.
        mutable=("state", "checker", "approved_at", "cancelled_at", "cancel_reason", "sealed"),
        refused_updates={
            "findings_stay": "NEW.sealed <> OLD.sealed AND NOT EXISTS (SELECT 1 FROM record_key k "
            "WHERE k.batch_id = OLD.id AND k.wrapped IS NULL)",
            "cancelled_for_good": "OLD.state = 'cancelled' AND (NEW.sealed = OLD.sealed OR NEW.state <> 'cancelled' "
            "OR NEW.cancel_reason <> OLD.cancel_reason OR NEW.cancelled_at <> OLD.cancelled_at "
            "OR COALESCE(NEW.checker, '') <> COALESCE(OLD.checker, ''))",
            "approved_once": "OLD.state = 'approved' AND (NEW.state = 'submitted' OR NEW.checker IS NULL "
            "OR NEW.checker <> OLD.checker OR NEW.approved_at IS NULL OR NEW.approved_at <> OLD.approved_at)",
        },
        refused_inserts={"submitted_first": "NEW.state <> 'submitted' OR NEW.checker IS NOT NULL"},
    ),
    Rules(
        "record_key",
        mutable=("wrapped", "destroyed_at"),
        refused_updates={"destroyed_for_good": "OLD.wrapped IS NULL"},
    ),
    Rules("pack"),
    Rules(
        "chunk",
        mutable=("state", "pack_name", "reserved_at", "issued_at"),
        refused_updates={
            "finished": "OLD.state IN ('issued', 'cancelled')",
            "only_forward": "OLD.state = 'reserved' AND NEW.state NOT IN ('reserved', 'issued')",
            "reserved_first": "OLD.state = 'ready' AND NEW.state = 'issued'",
            "one_pack": "OLD.pack_name IS NOT NULL AND (NEW.pack_name IS NULL OR NEW.pack_name <> OLD.pack_name)",
        },
    ),
    Rules(
        "batch_row",
        mutable=(
            *("state", "live_key", "chunk_number", "year", "sequence", "serial", "version"),
            *("reason", "reason_serial", "void_leaf"),
        ),
        refused_updates={
            "number_stays": "OLD.serial IS NOT NULL AND (NEW.serial IS NULL OR NEW.serial <> OLD.serial "
            "OR NEW.sequence IS NULL OR NEW.sequence <> OLD.sequence OR NEW.year IS NULL OR NEW.year <> OLD.year "
            "OR NEW.version <> OLD.version)",
            "decided": "OLD.state IN ('refused', 'void') AND NEW.state <> OLD.state",
            "numbered_then_void": "OLD.state = 'numbered' AND NEW.state NOT IN ('numbered', 'void')",
            "issued_is_not_void": "NEW.state = 'void' AND EXISTS (SELECT 1 FROM credential c "
            "WHERE c.batch_id = OLD.batch_id AND c.row_number = OLD.row_number)",
        },
        refused_inserts={
            "before_approval": "NEW.state <> 'submitted' OR NEW.serial IS NOT NULL "
            "OR NOT EXISTS (SELECT 1 FROM batch b WHERE b.id = NEW.batch_id AND b.state = 'submitted')",
        },
    ),
    Rules(
        "credential",
        mutable=("state", "live_key", "superseded_by_id", "code_index", "person_index", "name_index"),
        refused_updates={
            "revoked_for_good": "OLD.state IN ('03', '07') AND NEW.state <> OLD.state",
            "superseded_once": "OLD.superseded_by_id IS NOT NULL "
            "AND (NEW.superseded_by_id IS NULL OR NEW.superseded_by_id <> OLD.superseded_by_id)",
            # Only what was approved as its successor, and is sealed, takes a credential's place.
            "superseded_by_its_successor": "OLD.superseded_by_id IS NULL AND NEW.superseded_by_id IS NOT NULL "
            "AND NOT EXISTS (SELECT 1 FROM credential n JOIN credential_file f ON f.credential_id = n.id "
            "WHERE n.id = NEW.superseded_by_id AND n.supersedes_id = OLD.id AND n.issuer_id = OLD.issuer_id)",
            # A state without its entry of history (maker, checker, decision) cannot come about.
            "history_first": "NEW.state <> OLD.state AND NOT EXISTS (SELECT 1 FROM history h "
            "WHERE h.credential_id = OLD.id AND h.kind = 'state-changed' AND h.state = NEW.state)",
        },
        refused_inserts={
            "approved_and_numbered": f"NOT EXISTS ({_NUMBERED_ROW})",
            "succeeds_as_approved": "COALESCE(NEW.supersedes_id, 0) <> COALESCE((SELECT s.predecessor_id "
            "FROM succession s WHERE s.batch_id = NEW.batch_id AND s.row_number = NEW.row_number), 0)",
        },
    ),
    Rules(
        "credential_file",
        refused_inserts={
            "next_revision": "NEW.revision <> (SELECT COALESCE(MAX(f.revision), -1) + 1 FROM credential_file f "
            "WHERE f.credential_id = NEW.credential_id)",
            # A chunk is marked as issued in the transaction that seals its files, all out of its one pack.
            "sealed_with_its_chunk": f"NEW.revision = 0 AND NOT EXISTS ({_IN_PACK_OF_ITS_CHUNK})",
        },
    ),
    Rules(
        "history",
        refused_inserts={
            "next_in_chain": "NEW.sequence <> (SELECT COALESCE(MAX(h.sequence), 0) + 1 FROM history h)",
            "chained": "NEW.sequence > 1 AND NOT EXISTS (SELECT 1 FROM history h "
            "WHERE h.sequence = NEW.sequence - 1 AND h.digest = NEW.previous)",
        },
    ),
)

_RULES_OF_LOG = (
    Rules(
        "log_leaf",
        mutable=("position",),
        refused_updates={"placed_once": "OLD.position IS NOT NULL"},
        refused_inserts={"waits_first": "NEW.position IS NOT NULL"},
    ),
    Rules(
        "log_head",
        refused_inserts={
            "grows": "EXISTS (SELECT 1 FROM log_head h WHERE h.number < NEW.number AND h.size >= NEW.size)"
        },
    ),
    Rules("checkpoint_timestamp"),
)

_RULES_OF_STATUS = (
    Rules(
        "status_list",
        mutable=("is_open", "allocated", "taken"),
        refused_updates={
            "only_grows": "NEW.allocated < OLD.allocated",
            "closed_for_good": "NEW.is_open AND NOT OLD.is_open",
        },
    ),
    Rules(
        "status_entry",
        mutable=("value",),
        refused_updates={"invalid_for_good": "OLD.value = 1 AND NEW.value <> 1"},
    ),
    Rules("status_publication", mutable=("change_number", "published_change", "published_at")),
)

_RULES_OF_SERVICE = (
    Rules("api_token", mutable=("revoked_at",), refused_updates={"revoked_for_good": "OLD.revoked_at IS NOT NULL"}),
    Rules(
        "idempotent_request",
        mutable=("started_at", "status", "content_type", "body"),
        refused_updates={"answered_once": "OLD.status IS NOT NULL"},
        deletable=True,
    ),
    Rules(
        "claim_code",
        mutable=("tries_left", "used_at", "replaced_at"),
        refused_updates={
            "tries_only_fall": "NEW.tries_left > OLD.tries_left",
            "used_once": "OLD.used_at IS NOT NULL OR OLD.replaced_at IS NOT NULL",
        },
    ),
    Rules("download_grant", deletable=True),
    Rules("photo_try", mutable=("window_started_at", "tries")),
    Rules(
        "proposed_change",
        mutable=("checker", "decided_at", "outcome"),
        refused_updates={"decided_once": "OLD.outcome <> ''"},
        refused_inserts={"undecided_first": "NEW.outcome <> '' OR NEW.checker IS NOT NULL"},
    ),
    Rules(
        "succession",
        refused_inserts={
            "before_approval": "NOT EXISTS (SELECT 1 FROM batch b WHERE b.id = NEW.batch_id AND b.state = 'submitted')"
        },
    ),
    Rules(
        "erasure",
        mutable=("checker", "decided_at", "outcome"),
        refused_updates={"decided_once": "OLD.outcome <> ''"},
        refused_inserts={"undecided_first": "NEW.outcome <> '' OR NEW.checker IS NOT NULL"},
    ),
    Rules(
        "erased",
        refused_inserts={
            "key_destroyed_first": "EXISTS (SELECT 1 FROM credential c JOIN record_key k ON k.batch_id = c.batch_id "
            "AND k.row_number = c.row_number WHERE c.id = NEW.credential_id AND k.wrapped IS NOT NULL)"
        },
    ),
    Rules("retention"),
    Rules("template_version"),
    Rules("template_prefix"),
    Rules("batch_pause", deletable=True),
)

ALL_RULES = (*_RULES_OF_ISSUING, *_RULES_OF_LOG, *_RULES_OF_STATUS, *_RULES_OF_SERVICE)
