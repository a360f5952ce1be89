"""Make a template folder of a designer's PDF: checked in a limited process, kept as it is, with boxes to begin with."""

import multiprocessing
import resource
import shutil
import tempfile
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from credential.errors import InputError
from press.artwork_check import MAX_FILE_BYTES, ArtworkFacts, check_artwork
from press.starting_layout import starting_layout
from press.strict_table import BadTemplate
from service.templates import BadTemplateName, check_template_name, template_folder

ARTWORK = "background.pdf"
CHECK_SECONDS = 30
CHECK_BYTES = 2 * 1024**3
"""Of address space, for a file of 20 MB at most; a page of ordinary artwork takes a tenth."""

_COPIED = ("record.toml", "titles.toml")


class UnreadableArtwork(InputError):
    """The file cannot be read at all."""

    code = "unreadable-artwork"

    def __init__(self, file: Path, cause: str) -> None:
        super().__init__(
            f"{file.name} cannot be read ({cause}); check the path", f"无法读取 {file.name}({cause}), 请检查路径"
        )


class ArtworkTooHeavy(InputError):
    """Opening the file took more time or memory than any drawing should."""

    code = "artwork-too-heavy"

    def __init__(self, file: Path) -> None:
        super().__init__(
            f"{file.name} needs too much time or memory to open; export it anew, with less in it",
            f"打开 {file.name} 所需时间或内存过多, 请精简后重新导出",
        )


@dataclass(frozen=True, slots=True)
class ImportedTemplate:
    """A template folder that was made.

    Attributes:
        folder: in the data folder.
        facts: of the artwork.
    """

    folder: Path
    facts: ArtworkFacts


def import_template(file: Path, *, name: str, like: str, folder: Path) -> ImportedTemplate:
    """Make a template folder of a PDF.

    Args:
        file: one page; not trusted.
        name: of the new template.
        like: name of the template whose fields and boxes to begin with.
        folder: ``templates`` of the data folder; made if missing.

    Raises:
        BadTemplateName: the name is no short word, or taken.
        UnknownTemplate: there is no template ``like``.
        BadTemplate: the PDF holds what a certificate could not show rightly; says what, and the cure.
        UnreadableArtwork, ArtworkTooHeavy: it cannot be read within limits.
    """
    target = folder / check_template_name(name)
    if target.exists():
        raise BadTemplateName(name, "there is one already; choose another", "已存在, 请换一个名称")
    model = template_folder(folder, like)
    content = _read(file)
    facts = check_in_limits(content, file)
    folder.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=folder, prefix=".import-"))
    try:
        _fill(fresh, model, content, facts, like)
        fresh.chmod(0o755)
        fresh.rename(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return ImportedTemplate(target, facts)


def check_in_limits(content: bytes, file: Path) -> ArtworkFacts:
    """Check artwork in a process of its own, with limits on time and memory.

    Raises:
        BadTemplate: it cannot be used.
        ArtworkTooHeavy: a limit was reached.
    """
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe(duplex=False)
    child = spawn.Process(target=_judge, args=(content, file.name, there), daemon=True)
    child.start()
    there.close()
    try:
        answer = here.recv() if here.poll(CHECK_SECONDS * 2) else None
    except EOFError:
        answer = None
    finally:
        here.close()
        child.kill()
        child.join()
        child.close()
    if answer is None:
        raise ArtworkTooHeavy(file)
    if isinstance(answer, ArtworkFacts):
        return answer
    en, zh = answer
    raise BadTemplate(file.name, en, zh)


def _judge(content: bytes, name: str, there: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CHECK_SECONDS, CHECK_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (CHECK_BYTES, CHECK_BYTES))
    try:
        there.send(check_artwork(content, name))
    except BadTemplate as error:
        place = f"template {name}: ", f"模板 {name}: "
        there.send((error.en.removeprefix(place[0]), error.zh.removeprefix(place[1])))
    except (MemoryError, RecursionError):
        there.close()


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UnreadableArtwork(file, error.strerror or "input/output") from error


def _fill(fresh: Path, model: Path, content: bytes, facts: ArtworkFacts, like: str) -> None:
    (fresh / ARTWORK).write_bytes(content)
    layout = (model / "template.toml").read_text("utf-8")
    text = starting_layout(layout, like, artwork=ARTWORK, width=facts.width, height=facts.height)
    (fresh / "template.toml").write_text(text, "utf-8")
    for one in (*_COPIED, *_seal_files(layout)):
        if (model / one).is_file():
            shutil.copyfile(model / one, fresh / one)
    shutil.copytree(model / "samples", fresh / "samples")


def _seal_files(layout: str) -> list[str]:
    """The seal's artwork, and nothing of the page's."""
    part = layout[layout.index("[seal]") :]
    return [line.split('"')[1] for line in part.splitlines() if line.startswith("artwork = ")][:1]
