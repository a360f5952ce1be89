"""The peers that there are: what they are called, how they are started, which keys they can sign with."""

import json
import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

from bench.peers.installing import FOLDER, NODE, PYTHON, ROOT, class_path
from credential.ports import Algorithm

ANY_KEY = (Algorithm.RSA_2048, Algorithm.RSA_3072, Algorithm.P256)
RSA_ONLY = (Algorithm.RSA_2048, Algorithm.RSA_3072)


@dataclass(frozen=True, slots=True)
class Peer:
    """One way of making signed certificates.

    Attributes:
        name: of the stack, as its process is told.
        title: for tables; names of products, the same in both languages.
        kind: python, node or java.
        tuned: what was done beyond the documentation, Chinese and English; empty as documented.
        algorithms: keys it can sign with.
        only_signs: the page is made once and not counted.
    """

    name: str
    title: str
    kind: str = "python"
    tuned: tuple[str, str] = ("", "")
    algorithms: tuple[Algorithm, ...] = ANY_KEY
    only_signs: bool = False

    def command(self, folder: Path, keys: Path) -> list[str]:
        """How its process is started."""
        where = [str(folder), str(keys)]
        if self.kind == "node":
            return ["node", str(NODE / "peer.mjs"), *where]
        if self.kind == "java":
            return ["java", "-Xmx1g", "-classpath", class_path(), "Peer", self.name.removeprefix("pdfbox-"), *where]
        return [str(PYTHON), "-m", "bench.peers.stacks", self.name, *where]

    def why_missing(self) -> str:
        """What the installer said when it could not install this kind; empty where it could."""
        why = FOLDER / f"{self.kind}.failed"
        return why.read_text("utf-8").strip() if why.is_file() else ""


_TUNED = ("密钥常驻、预留签名长度、zxing-cpp、不加标记", "key kept loaded, bytes_reserved, zxing-cpp, no tags")
_ENDESIVE_TUNED = ("zxing-cpp、不加标记", "zxing-cpp, no tags")

PEERS: Sequence[Peer] = (
    Peer("pyhanko-typst", "Typst + qrcode + pyHanko sign_pdf"),
    Peer("pyhanko-reportlab", "ReportLab + qrcode + pyHanko sign_pdf"),
    Peer("pyhanko-fpdf2", "fpdf2 + qrcode + pyHanko sign_pdf"),
    Peer("pyhanko-weasyprint", "WeasyPrint + qrcode + pyHanko sign_pdf"),
    Peer("endesive-reportlab", "ReportLab + qrcode + endesive"),
    Peer("fpdf2", "fpdf2 + qrcode + sign_pkcs12"),
    Peer("pdf-lib", "pdf-lib + qrcode + @signpdf (Node)", kind="node", algorithms=RSA_ONLY),
    Peer("pyhanko-typst-tuned", "Typst + zxing-cpp + pyHanko", tuned=_TUNED),
    Peer("pyhanko-reportlab-tuned", "ReportLab + zxing-cpp + pyHanko", tuned=_TUNED),
    Peer("endesive-typst-tuned", "Typst + zxing-cpp + endesive", tuned=_ENDESIVE_TUNED),
    Peer("pdfbox-whole", "PDFBox + ZXing + BouncyCastle (JDK)", kind="java"),
    Peer("pdfbox-sign", "PDFBox + BouncyCastle (JDK)", kind="java", only_signs=True),
)


@dataclass(frozen=True, slots=True)
class Made:
    """So many certificates by a peer: seconds on the clock and on its cores, and the length of the last one."""

    wall: float
    cpu: float
    length: int


class PeerFailed(Exception):
    """The process of a peer ended, or did not answer."""


class Running:
    """A peer's process; ends with the ``with`` block."""

    def __init__(self, peer: Peer, folder: Path, keys: Path) -> None:
        self._log = (folder / f"{peer.name}.log").open("w+", encoding="utf-8")
        self._process = subprocess.Popen(
            peer.command(folder, keys),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        stdin, stdout = self._pipes()
        with suppress(BrokenPipeError):
            stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        stdout.close()
        self._log.close()

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        if self._process.stdin is None or self._process.stdout is None:
            raise PeerFailed("it has no pipes")
        return self._process.stdin, self._process.stdout

    def make(self, first: int, count: int, keep: Path | None = None) -> Made:
        """Let it make certificates.

        Args:
            first: number of the first job; jobs begin again when they are used up.
            count: how many.
            keep: where the last one is written, outside the time.

        Raises:
            PeerFailed: it ended; with what it said last.
        """
        stdin, stdout = self._pipes()
        asked = {"first": first, "count": count, "keep": None if keep is None else str(keep)}
        # A process that has ended answers nothing; what it said is read below.
        with suppress(BrokenPipeError):
            stdin.write(json.dumps(asked) + "\n")
            stdin.flush()
        answer = stdout.readline()
        if not answer:
            self._process.wait()
            self._log.seek(0)
            raise PeerFailed(self._log.read().strip()[-300:])
        spent: dict[str, Any] = json.loads(answer)
        return Made(spent["wall"], spent["cpu"], spent["bytes"])
