"""A template folder as one thing with a digest: what versions of it are told apart and kept by.

The manifest lists every file that may decide what a certificate looks like or
what a row must say, in the form of ``sha256sum``; its own SHA-256 is the
version's digest. ``samples/``, ``preview/`` and ``README.md`` are for authors and left out.
"""

import hashlib
import io
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from press.strict_table import BadTemplate

MAX_FILES = 200
MAX_BYTES = 32 * 1024 * 1024
"""Of all files of a folder together; a full page of vector artwork has less than one megabyte."""

_MANIFEST = "SHA256SUMS"
_LEFT_OUT = frozenset({"samples", "preview", "README.md", _MANIFEST})
_RULES = frozenset({"template.toml", "record.toml", "titles.toml"})


@dataclass(frozen=True)
class TemplateFiles(Mapping[str, bytes]):
    """Files of one version of a template, by their path in the folder.

    Attributes:
        contents: all of them, or those that say how values are displayed.
        manifest: of all of them; its first line names the template.
    """

    contents: Mapping[str, bytes] = field(repr=False)
    manifest: str = field(repr=False)

    def __getitem__(self, path: str) -> bytes:
        return self.contents[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self.contents)

    def __len__(self) -> int:
        return len(self.contents)

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the manifest."""
        return hashlib.sha256(self.manifest.encode("utf-8")).digest()

    @property
    def name(self) -> str:
        """The template's name, that of its folder."""
        return self.manifest.partition("\n")[0].removeprefix("# ")

    def archive(self) -> bytes:
        """Write all files as a tar archive; the same files give the same bytes."""
        return _pack(self.manifest, self.contents)

    def rules(self) -> bytes:
        """Write the few files that say how values are displayed as a tar archive, for verifiers."""
        return _pack(self.manifest, {path: self.contents[path] for path in self.contents if path in _RULES})

    def write(self, folder: Path) -> None:
        """Write all files into a folder that is there."""
        for path, content in self.contents.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


def read_folder(folder: Path) -> TemplateFiles:
    """Read a template folder; links, hidden files, samples and the README are no part of it.

    Raises:
        BadTemplate: it is too large, or holds a file whose name cannot be listed.
    """
    contents: dict[str, bytes] = {}
    total = 0
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if relative.parts[0] in _LEFT_OUT or any(part.startswith(".") for part in relative.parts):
            continue
        if path.is_symlink():
            raise BadTemplate(relative.as_posix(), "is a link; put the file itself there", "是链接, 请放入文件本身")
        if not path.is_file():
            continue
        if not relative.as_posix().isprintable() or "\\" in relative.as_posix():
            raise BadTemplate(repr(relative.as_posix()), "has a name that cannot be listed", "文件名含特殊字符")
        total += path.stat().st_size
        if total > MAX_BYTES or len(contents) >= MAX_FILES:
            raise BadTemplate(
                folder.name,
                f"has more than {MAX_FILES} files or {MAX_BYTES:,} bytes; take out what it does not need",
                f"超过 {MAX_FILES} 个文件或 {MAX_BYTES:,} 字节, 请移除不需要的文件",
            )
        contents[relative.as_posix()] = path.read_bytes()
    return TemplateFiles(contents, _manifest(folder.name, contents))


def open_archive(archive: bytes, *, only_rules: bool = False) -> TemplateFiles:
    """Open what :meth:`TemplateFiles.archive` or :meth:`TemplateFiles.rules` wrote, every file checked.

    Raises:
        BadTemplate: it is damaged: a file is missing, or is not the one that the manifest lists.
    """
    contents: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
            for member in tar:
                opened = tar.extractfile(member)
                if opened is None or len(contents) > MAX_FILES:
                    raise _damaged(member.name)
                contents[member.name] = opened.read(MAX_BYTES)
        manifest = contents.pop(_MANIFEST).decode("utf-8")
    except (tarfile.TarError, KeyError, UnicodeDecodeError) as error:
        raise _damaged(_MANIFEST) from error
    listed = dict(line.split("  ", 1)[::-1] for line in manifest.splitlines() if not line.startswith("# "))
    needed = {path for path in listed if path in _RULES or not only_rules}
    if contents.keys() != needed or any(PurePosixPath(path).is_absolute() or ".." in path for path in contents):
        raise _damaged(_MANIFEST)
    for path, content in contents.items():
        if hashlib.sha256(content).hexdigest() != listed[path]:
            raise _damaged(path)
    return TemplateFiles(contents, manifest)


def _manifest(name: str, contents: Mapping[str, bytes]) -> str:
    lines = [f"{hashlib.sha256(contents[path]).hexdigest()}  {path}" for path in sorted(contents)]
    return "\n".join((f"# {name}", *lines, ""))


def _pack(manifest: str, contents: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, content in ((_MANIFEST, manifest.encode("utf-8")), *sorted(contents.items())):
            member = tarfile.TarInfo(path)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def _damaged(place: str) -> BadTemplate:
    return BadTemplate(place, "of a stored version is damaged; restore it from a backup", "的存档已损坏, 请从备份恢复")
