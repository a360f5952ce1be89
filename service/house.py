"""The house of one data folder: every part opened when first needed, and put together here only."""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from credential.errors import UnavailableError
from credential.ports import Clock, Signer
from credential.profile import SignatureProfile
from credential.trust import Role, TrustList
from issuer.change import ChangeDesk
from issuer.engine import Engine, ProcessPool, Records, SingleProcess
from issuer.issue import IssuingLine
from issuer.office import BEIJING, Office
from issuer.sampling import DocumentSample
from keys.store import KeyStore
from press.conformance import require_conformance
from press.fonts import FontLibrary
from press.inspection import require_conforming_look
from press.press import Press
from press.template import Template
from registry.database import Database, current_revision, migrate, open_database
from registry.issuers import Issuer, get_issuer
from registry.local_blobs import LocalBlobs
from registry.log.reader import LogReader
from registry.log.sequencer import Log
from registry.log.timestamps import StampedCheckpoints
from registry.lookup import DocumentStore, RegistrySource
from registry.status.publisher import StatusLists
from registry.vault import Vault
from service.agreement import open_issuing_line
from service.behind import require_caught_up, require_nothing_owed
from service.checking import core_count, font_library
from service.cosigning import WitnessClient
from service.folder import DataFolder, Installation, NoDataFolder, PublicUrlFixed, check_public_url
from service.issuer_look import issuer_look
from service.issuers import make_keys
from service.key_places import KeyPlaces
from service.passphrase import passphrase_of
from service.pinned import read_own_trust_list
from service.profiles import stamping, timestamp_client
from service.reading import HERE, Reader
from service.registry_address import registry_address
from service.rolled import MadeWith
from service.settings import Settings
from service.templates import KnownTemplates, TemplateShelf
from service.witness_list import WitnessList
from verifier.report import Integrity, Trust

if TYPE_CHECKING:
    from keys.timestamp import TimestampClient

DEFAULT_PUBLIC_URL = "https://zs.example.gov.cn"
CLAIMS_ATTACHMENT = "certificate.cose"

#: A pool of processes pays from this many rows on: starting one costs about as much as printing 500.
POOL_ROWS = 1_000


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The current moment, UTC."""
        return datetime.now(UTC)


class House:
    """Everything of one installation; use one for each process.

    Args:
        settings: of this process.
        passphrase: opens the keys.
        clock: tells the current moment.
        reader: reads spreadsheets; a service gives one that works in a process of its own.
    """

    def __init__(self, settings: Settings, passphrase: bytes, clock: Clock, reader: Reader = HERE) -> None:
        self.settings = settings
        self.folder = DataFolder(settings.data)
        self.installation: Installation = self.folder.installation()
        self.passphrase = passphrase
        self.clock = clock
        self.reader = reader

    @cached_property
    def database(self) -> Database:
        """The registry's database; refused unless it is at this program's revision."""
        return open_database(registry_address(self.settings))

    @cached_property
    def store(self) -> KeyStore:
        """The keys."""
        return KeyStore(self.folder.keys, self.passphrase, places=KeyPlaces(self.settings))

    @cached_property
    def vault(self) -> Vault:
        """Encrypts personal data."""
        return Vault(self.store.master_key(), os.urandom)

    @cached_property
    def blobs(self) -> LocalBlobs:
        """Packs, prefixes and photos."""
        return LocalBlobs(self.folder.blobs)

    @cached_property
    def fonts(self) -> FontLibrary:
        """The pinned faces."""
        return font_library(self.settings)

    @cached_property
    def templates(self) -> TemplateShelf:
        """The templates: today's, and the versions that batches were submitted with."""
        return TemplateShelf(self.folder.templates, self.database, self.blobs, self.folder.cache / "templates")

    @cached_property
    def known_templates(self) -> KnownTemplates:
        """The versions that anything was printed with, as a verifier needs them; asks the database only."""
        return KnownTemplates((), self.database)

    @property
    def log(self) -> Log:
        """The sequencer, the only holder of the log key."""
        return self._log.current

    @cached_property
    def _log(self) -> MadeWith[Log]:
        return MadeWith(self.store, Role.LOG, self._sequencer)

    def _sequencer(self, signer: Signer, former_keys: Sequence[bytes]) -> Log:
        return Log(
            self.database,
            self.folder.log,
            signer,
            self.installation.log_origin,
            os.urandom,
            outside=self.folder.checkpoint_copy,
            cosigners=self.cosigners,
            former_keys=former_keys,
            former_origins=self.installation.former_origins,
        )

    @cached_property
    def log_reader(self) -> LogReader:
        """Makes proofs; holds no key."""
        return LogReader(
            self.database, self.folder.log, threshold=self.witness_list.threshold, count=self.witness_list.count
        )

    @cached_property
    def witness_list(self) -> WitnessList:
        """Who witnesses the log, and how many must."""
        return WitnessList(self.folder)

    @cached_property
    def cosigners(self) -> WitnessClient:
        """Asks the witnesses."""
        return WitnessClient(self.witness_list.trust, self.witness_list.addresses, self.now)

    @cached_property
    def stamped(self) -> StampedCheckpoints:
        """The checkpoints that time-stamping authorities vouched for."""
        return StampedCheckpoints(self.database, self.folder.log, self.installation.former_origins)

    @property
    def status_lists(self) -> StatusLists:
        """Publishes the status lists."""
        return self._status_lists.current

    @cached_property
    def _status_lists(self) -> MadeWith[StatusLists]:
        database, folder, uri = self.database, self.folder.status, self.installation.status_uri
        return MadeWith(
            self.store, Role.STATUS, lambda key, old: StatusLists(database, folder, key, uri, former_keys=old)
        )

    @cached_property
    def source(self) -> RegistrySource:
        """The registry as a verifier sees it."""
        return RegistrySource(self.database, self.vault, self.log_reader, self.status_lists, self.stamped)

    @cached_property
    def documents(self) -> DocumentStore:
        """The exact stored PDFs."""
        return DocumentStore(self.database, self.vault, self.blobs)

    @cached_property
    def timestamps(self) -> "TimestampClient | None":
        """The time-stamping authorities that are set and believed; None when there are none."""
        return timestamp_client(self.settings.tsa_urls, self.trust.tsa_certs, self.now)

    @property
    def trust(self) -> TrustList:
        """The installation's own trust list, checked against the pinned roots."""
        return read_own_trust_list(self.folder, self.now())

    def now(self) -> datetime:
        """The current moment, UTC."""
        return self.clock.now()

    def today(self) -> date:
        """Today in Beijing time."""
        return self.now().astimezone(BEIJING).date()

    def issuer(self, issuer_id: str) -> Issuer:
        """Read an issuer."""
        with self.database.reading() as session:
            return get_issuer(session, issuer_id)

    def press(self, issuer: Issuer, template: Template) -> Press:
        """The press of an issuer, with its PDF key."""
        return Press(
            template,
            issuer_look(issuer),
            self.fonts,
            self.store.signer(Role.PDF, issuer.id),
            self.store.chain(Role.PDF, issuer.id)[:-1],
            cache_folder=self.folder.cache / "prefixes",
        )

    def office(self, issuer: Issuer, template: Template, press: Press) -> Office:
        """An issuer at work on one kind of credential.

        Raises:
            RestoredBehind: the registry is behind what was published, so nothing is issued or changed.
        """
        require_caught_up(self.folder, self.database)
        return Office(
            database=self.database,
            vault=self.vault,
            blobs=self.blobs,
            issuer=issuer,
            schema=template.schema,
            look_digests=self._look_digests(issuer, press),
            status_base=self.installation.status_uri,
            random=os.urandom,
        )

    def line(self, issuer_id: str, template_name: str, version: str = "") -> IssuingLine:
        """Everything that issues an issuer's chunks.

        Args:
            issuer_id: of the issuer.
            template_name: of the template; empty for the issuer's default.
            version: digest, hex, of a version that was kept, as a batch's binding names it; empty for today's.
        """
        issuer = self.issuer(issuer_id)
        name = template_name or issuer.settings.template
        template = self.templates.version(name, bytes.fromhex(version)) if version else self.templates.current(name)
        press = self.press(issuer, template)
        return IssuingLine(
            office=self.office(issuer, template, press),
            printer=press,
            claims_signer=self.store.signer(Role.QR, issuer.id),
            proofs=self.log_reader,
            check_document=self.check_document,
            now=self.now,
            stamping=stamping(SignatureProfile(issuer.settings.signature_profile), press, lambda: self.timestamps),
            sample=DocumentSample(require_conformance),
        )

    def keep_template(self, line: IssuingLine) -> None:
        """Store and register the version of the template that a batch is about to be submitted with.

        Raises:
            TemplateChanging: the folder is no longer what the line was opened with.
            NonconformingDocument: its certificates would not be what they say.
        """
        press = line.printer
        if isinstance(press, Press):  # measurements may print with something that has no template
            require_conforming_look(press.template, press.look, self.fonts, cache_folder=self.folder.cache / "prefixes")
            self.templates.keep(press.template, press, self.now())

    def engine(self, line: IssuingLine, rows: int) -> Engine:
        """One process for a small batch, a pool for a large one.

        Raises:
            ChangesOwed: revocations that were published are not in the restored registry yet.
        """
        require_nothing_owed(self.folder, self.database)
        records = Records(self.database, self.log, self.status_lists, self.now)
        processes = self.settings.workers or core_count()
        if processes == 1 or rows < POOL_ROWS:
            return SingleProcess(records, line)
        look = line.office.look_digests
        opener = LineOpener(
            self.settings, self.passphrase, line.office.issuer.id, look["template"], look["template version"]
        )
        return ProcessPool(records, opener, processes)

    def desk(self, issuer: Issuer) -> ChangeDesk:
        """Where an issuer's credentials are changed."""
        template = self.templates.current(issuer.settings.template)
        office = self.office(issuer, template, self.press(issuer, template))
        # A change must not wait for witnesses: the next run of the log collects their cosignatures.
        return ChangeDesk(office, self.status_lists, self.log.unwitnessed)

    def check_document(self, document: bytes, claims: bytes) -> None:
        """Accept only a PDF with a good signature of ours and these claims; asked after a crash.

        Raises:
            ForeignDocument: it does not carry them.
        """
        # It is heavy, and asked after a crash alone.
        from verifier.document import examine  # noqa: PLC0415 - see above

        report = examine(document, anchors=self.trust.ca_certs, crls=(), now=self.now())
        is_ours = report.integrity is Integrity.INTACT and report.trusted is Trust.YES
        if not is_ours or report.attachments.get(CLAIMS_ATTACHMENT) != claims:
            raise ForeignDocument(report.integrity.value)

    def _look_digests(self, issuer: Issuer, press: Press) -> Mapping[str, str]:
        layouts = {
            "layout with photo" if photo else "layout without photo": press.prefix(photo).digest.hex()
            for photo in press.template.layouts
        }
        return {
            "template": press.template.folder.name,
            "template version": press.template.digest.hex(),
            **layouts,
            "signature profile": f"PAdES-{issuer.settings.signature_profile}, DocMDP P=1",
        }


class ForeignDocument(UnavailableError):
    """A stored PDF does not carry a good signature of ours: the store is damaged."""

    code = "foreign-document"

    def __init__(self, integrity: str) -> None:
        super().__init__(
            f"a stored PDF does not carry our signature ({integrity}); check the disk, then resume the batch",
            f"存储的 PDF 未带有效签名({integrity}); 请检查磁盘后继续该批次",
        )


class LineOpener:
    """Opens an issuing line in a worker process; carries settings, never photos or rows."""

    def __init__(self, settings: Settings, passphrase: bytes, issuer: str, template: str, version: str) -> None:
        self._settings = settings
        self._passphrase = passphrase
        self._issuer = issuer
        self._template = template
        self._version = version

    def __call__(self) -> IssuingLine:
        """Open the line; called once in each worker."""
        house = House(self._settings, self._passphrase, SystemClock())
        return open_issuing_line(house, self._issuer, self._template, self._version)


def open_house(settings: Settings, reader: Reader = HERE) -> House:
    """Open an installation.

    Args:
        settings: name the data folder and the passphrase.
        reader: see :class:`House`.

    Raises:
        NoDataFolder: there is none in the data folder.
        MissingPassphrase: none was given.
    """
    if not DataFolder(settings.data).exists():
        raise NoDataFolder(settings.data)
    return House(settings, passphrase_of(settings), SystemClock(), reader)


def create_house(settings: Settings, *, public_url: str | None, passphrase: bytes | None = None) -> House:
    """Make a data folder with registry, keys and an empty trust list, or complete one whose making was cut off.

    Raises:
        PublicUrlFixed: another address is asked for than the folder was made with.
        DataFolderInUse: the folder holds something else.
        BadPublicUrl: the address is no bare https origin.
        DatabaseNotMigrated: the folder was made by an older program.
        MissingPassphrase: none was given.
    """
    folder = DataFolder(settings.data)
    secret = passphrase_of(settings) if passphrase is None else passphrase
    if not folder.exists():
        url = check_public_url(public_url or DEFAULT_PUBLIC_URL)
        host = urlsplit(url).netloc
        folder.make(Installation(public_url=url, log_origin=f"{host}/log"))
    house = House(settings, secret, SystemClock())
    if public_url is not None and check_public_url(public_url) != house.installation.public_url:
        raise PublicUrlFixed(house.installation.public_url)
    address = registry_address(settings)
    if current_revision(address) is None:
        migrate(address)
    else:
        open_database(address).close()  # an older one is for `yinzheng migrate`, which keeps a copy of it
    make_keys(house)
    return house
