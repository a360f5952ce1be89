"""The templates of an installation: bundled ones and its own, today's and every version that was ever used.

Today's are folders that people edit. A version is kept whole when a batch is
submitted with it (registry/templates.py); batches go on with the version they
were submitted with, and verifiers compare by the version that printed.
"""

import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from credential.errors import ConfigError, Error, InputError, RefusedError, UnavailableError
from credential.ports import Blobs
from press.press import Press
from press.strict_table import BadTemplate
from press.template import Template
from press.template_file import load_template, parse_template
from press.template_folder import open_archive, read_folder
from registry.database import Database
from registry.templates import (
    NewVersion,
    TemplateVersion,
    archive_name,
    find_version,
    is_known,
    register_version,
    version_of_prefix,
)
from templates import UnknownTemplate, certificate_folder, certificate_names

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}", re.ASCII)


class BadTemplateName(InputError):
    """A template's name is not a short lower-case word, or is taken."""

    code = "bad-template-name"

    def __init__(self, name: str, en: str, zh: str) -> None:
        super().__init__(f"{name!r} cannot name a template: {en}", f"“{name}”不能作模板名称: {zh}")
        self.name = name


class SameTemplateTwice(ConfigError):
    """A template of the data folder has the name of a bundled one."""

    code = "template-name-twice"

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} has the name of a bundled template; rename the folder",
            f"{folder} 与自带模板重名, 请重命名该目录",
        )


class TemplateChanging(RefusedError):
    """The folder was changed while it was used."""

    code = "template-changing"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the template {name} was changed while the batch was submitted; submit again when the edit is done",
            f"提交期间模板“{name}”正被修改, 请在修改完成后重新提交",
        )


class TemplateVersionLost(UnavailableError):
    """A version that something was printed with is not kept, or is damaged."""

    code = "template-version-lost"

    def __init__(self, digest: bytes, cause: str) -> None:
        short = digest.hex()[:16]
        super().__init__(
            f"the template version {short} cannot be read ({cause}); restore database and store from one backup",
            f"模板版本 {short} 无法读取({cause}); 请从同一备份恢复数据库与存储",
        )


def check_template_name(name: str) -> str:
    """Return a name that a new template may have.

    Raises:
        BadTemplateName: not at most 32 lower-case letters, digits and hyphens, or that of a bundled template.
    """
    if _NAME.fullmatch(name) is None:
        raise BadTemplateName(
            name,
            "use at most 32 lower-case letters, digits and hyphens",
            "须为小写字母、数字和连字符, 最多 32 个字符",
        )
    if name in certificate_names():
        raise BadTemplateName(name, "a bundled template has it", "与自带模板重名")
    return name


def own_names(folder: Path) -> tuple[str, ...]:
    """List the templates of a data folder's ``templates``, sorted.

    Raises:
        SameTemplateTwice: one has the name of a bundled template.
    """
    found = tuple(sorted(one.parent.name for one in folder.glob("*/template.toml")))
    for name in found:
        if name in certificate_names():
            raise SameTemplateTwice(folder / name)
    return found


def template_names(folder: Path) -> tuple[str, ...]:
    """List every template that may be used by name: bundled ones first."""
    return (*certificate_names(), *own_names(folder))


def template_folder(folder: Path, name: str) -> Path:
    """Find a template by name among the bundled ones and those of a data folder's ``templates``.

    Raises:
        UnknownTemplate: there is none of this name.
    """
    if name in own_names(folder):
        return folder / name
    if name not in certificate_names():
        raise UnknownTemplate(name, template_names(folder))
    return certificate_folder(name)


@dataclass(frozen=True, slots=True)
class ListedTemplate:
    """A folder of templates, fit to be used or not.

    Attributes:
        kind: of certificate; empty where the folder cannot be loaded.
        trouble: why it cannot be used by its name; None for a good one.
    """

    name: str
    folder: Path
    kind: str
    trouble: Error | OSError | None


def listed_templates(folder: Path) -> Iterator[ListedTemplate]:
    """Every template, bundled ones first; one that is broken is listed with the reason and hides no other."""
    places = [certificate_folder(name) for name in certificate_names()]
    places += sorted(one.parent for one in folder.glob("*/template.toml"))
    for place in places:
        try:
            if place.parent == folder and place.name in certificate_names():
                raise SameTemplateTwice(place)
            yield ListedTemplate(place.name, place, load_template(place).schema.kind, None)
        except (Error, OSError) as error:
            yield ListedTemplate(place.name, place, "", error)


class TemplateShelf:
    """Gives out templates for issuing, and keeps the versions that batches are submitted with.

    Args:
        folder: ``templates`` of the data folder.
        database: of the registry.
        blobs: the store.
        cache: a folder for what can be made again, shared by processes.
    """

    def __init__(self, folder: Path, database: Database, blobs: Blobs, cache: Path) -> None:
        self._folder = folder
        self._database = database
        self._blobs = blobs
        self._cache = cache

    def current(self, name: str) -> Template:
        """Load today's version.

        Raises:
            UnknownTemplate: there is none of this name.
            BadTemplate, BadSchema: it makes no sense.
        """
        return load_template(template_folder(self._folder, name))

    def keep(self, template: Template, press: Press, now: datetime) -> TemplateVersion:
        """Store and register the version that a batch is about to be submitted with; does nothing the second time.

        Raises:
            TemplateChanging: the folder is no longer what was loaded.
            UnavailableError: the store does not answer.
        """
        prefixes = [press.prefix(photo).digest for photo in template.layouts]
        files = read_folder(template.folder)
        if files.digest != template.digest:
            raise TemplateChanging(template.folder.name)
        self._blobs.create(archive_name(files.digest), [files.archive()])
        new = NewVersion(files.digest, files.name, template.schema.kind, files.rules(), prefixes)
        with self._database.transaction() as session:
            return register_version(session, new, now)

    def version(self, name: str, digest: bytes) -> Template:
        """Load a version by its digest: as it was kept, or today's folder where nothing was submitted with it yet.

        Raises:
            TemplateVersionLost: it is neither.
        """
        with self._database.reading() as session:
            is_kept = find_version(session, digest) is not None
        if is_kept:
            return self.kept(digest)
        template = self.current(name)
        if template.digest != digest:
            raise TemplateVersionLost(digest, "not registered")
        return template

    def kept(self, digest: bytes) -> Template:
        """Load a version as it was when a batch was submitted with it, whatever the folder says today.

        Raises:
            TemplateVersionLost: it is not registered, or its archive is damaged.
            UnavailableError: the store does not answer.
        """
        with self._database.reading() as session:
            version = find_version(session, digest)
        if version is None:
            raise TemplateVersionLost(digest, "not registered")
        target = self._cache / digest.hex() / version.name
        try:
            if not target.is_dir() or read_folder(target).digest != digest:
                self._unpack(version, target)
            return load_template(target)
        except BadTemplate as error:
            raise TemplateVersionLost(digest, error.en) from error

    def _unpack(self, version: TemplateVersion, target: Path) -> None:
        files = open_archive(self._blobs.read(version.blob))
        if files.digest != version.digest or files.name != version.name:
            raise TemplateVersionLost(version.digest, "its archive holds another")
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=target.parent, prefix=".fresh-"))
        try:
            files.write(fresh)
            shutil.rmtree(target, ignore_errors=True)  # damaged, or not there
            fresh.rename(target)
        except OSError:
            # Another process was quicker; what it wrote is checked like everything here.
            if read_folder(target).digest != version.digest:
                raise
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


class KnownTemplates(Mapping[bytes, Template]):
    """The templates of a verifier, by SHA-256 of a prefix or of the version itself; reads only.

    What is not known yet is looked up in the register: the database alone is
    enough, no store and no folder of templates is needed.

    Args:
        at_hand: today's templates, for verifying without a register.
        database: of the registry; None to verify offline.
    """

    def __init__(self, at_hand: Iterable[Template], database: Database | None) -> None:
        self._known = {one.digest: one for one in at_hand}
        self._database = database

    def __getitem__(self, digest: bytes) -> Template:
        known = self._known.get(digest)
        if known is None:
            known = self._known[digest] = self._look_up(digest)
        return known

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def _look_up(self, digest: bytes) -> Template:
        if self._database is None or not is_known(self._database, digest):
            raise KeyError(digest)
        with self._database.reading() as session:
            version = version_of_prefix(session, digest) or find_version(session, digest)
        if version is None:
            raise KeyError(digest)
        try:
            files = open_archive(version.rules, only_rules=True)
            if files.digest != version.digest:
                raise TemplateVersionLost(version.digest, "the register holds another under its digest")
            return parse_template(files, Path(version.name))
        except BadTemplate as error:
            raise TemplateVersionLost(version.digest, error.en) from error


def templates_at_hand(folder: Path) -> list[Template]:
    """Load today's version of every template, bundled and own."""
    return [load_template(template_folder(folder, name)) for name in template_names(folder)]
