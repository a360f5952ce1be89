"""What everything an issuer does has in common: its registry, its settings, its kind of credential."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache

from credential.model import Record
from credential.names import fold_name_for_matching
from credential.ports import Blobs
from credential.schema import FieldKind, RecordSchema
from credential.serial import SerialPattern
from registry.database import Database
from registry.issuers import Issuer
from registry.log import salts
from registry.vault import Vault

BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")
"""Dates are printed and years counted in Beijing time, which has had no summer time since 1991."""


@dataclass(frozen=True, slots=True)
class Office:
    """One issuer at work on one kind of credential; made by ``service/`` once a process.

    Attributes:
        look_digests: digests, hex, of what its certificates are printed with, by
            name: ``template``, ``fonts``, ``signature`` and so on; approval binds them.
        status_base: address of the folder of status lists, without a slash at the
            end; the same that StatusLists publishes them under.
        random: gives that many unpredictable bytes; ``os.urandom`` but in tests.
    """

    database: Database
    vault: Vault
    blobs: Blobs
    issuer: Issuer
    schema: RecordSchema
    look_digests: Mapping[str, str]
    status_base: str
    random: Callable[[int], bytes]

    @property
    def binding(self) -> dict[str, str]:
        """Everything beside rows and photos that approval binds, by name."""
        issuer = asdict(self.issuer)
        # It is bound by name, with the certificates it is signed under; a batch that was approved before there
        # were profiles has no trace of one here.
        del issuer["settings"]["signature_profile"]
        settings = json.dumps(issuer, sort_keys=True, ensure_ascii=False)
        return dict(self.look_digests) | {"issuer": hashlib.sha256(settings.encode()).hexdigest()}

    @property
    def unsaid(self) -> frozenset[str]:
        """Fields that no claims carry: a clerk's remark is said to the bureau, not to everybody."""
        return frozenset(one.key for one in self.schema.fields if one.kind is FieldKind.REMARK)

    def status_uri(self, list_number: int) -> str:
        """The address of a status list, as claims and leaves name it."""
        return f"{self.status_base}/{list_number}"

    def live_key(self, record: Record) -> bytes:
        """See :func:`live_key`."""
        return live_key(self.vault, self.issuer.id, self.schema, record)

    def serial(self, record: Record, year: int, sequence: int) -> str:
        """Write the serial that a record gets.

        Raises:
            SerialsExhausted: the issuer's pattern holds no more numbers for the year.
        """
        titles, numbering = self.schema.titles, self.schema.numbering
        series = None if titles is None else titles.find_series(record.fields.get("series", ""))
        level = "" if titles is None else titles.levels.get(record.fields.get("level", ""), "")
        return (numbering.pattern or _pattern(self.issuer.settings.serial_pattern)).format(
            division=self.issuer.division,
            year=year,
            series=numbering.series if series is None else series.code,
            level=level or numbering.level,
            sequence=sequence,
        )


def live_key(vault: Vault, issuer_id: str, schema: RecordSchema, record: Record) -> bytes:
    """Blind index of what may exist only once: issuer, person, kind, and what the schema calls unique."""
    holder = record.holder
    person = holder.id_number or fold_name_for_matching(holder.name)
    unique = (record.fields.get(key, "") for key in schema.unique_by)
    return vault.blind("live", issuer_id, schema.kind, holder.id_type.value, person, *unique)


@lru_cache
def _pattern(text: str) -> SerialPattern:
    return SerialPattern.parse(text)


def status_salt(office: Office, sequence: int) -> bytes:
    """The salt of the status leaf that goes with a history entry; an auditor is given it with the entry."""
    return salts.status_salt(office.vault, sequence)


def beijing_year(moment: datetime) -> int:
    """The year a moment falls in, Beijing time."""
    return moment.astimezone(BEIJING).year
