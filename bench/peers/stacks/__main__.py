"""One peer in a process of its own: makes certificates when asked, one JSON object a line in and out.

    python -m bench.peers.stacks STACK FOLDER KEYS

Asked ``{"first": 0, "count": 20, "keep": "path"}`` it makes twenty certificates in memory and answers with the time
that took on the clock and on the core, and the bytes of the last one, which it writes to the path.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.peers.stacks import pages, signing, symbols

Make = Callable[[dict[str, Any]], bytes]


def _signed(page: Make, sign: Callable[[bytes], bytes]) -> Make:
    return lambda job: sign(page(job))


def _unsigned(_pdf: object) -> None:
    pass


def makers(scene: dict[str, Any], folder: Path, keys: Path) -> dict[str, Callable[[], Make]]:
    """Say how each stack is put together."""
    version = scene["qr_version"]
    picture = symbols.qrcode_picture(version)

    def typst() -> Make:
        return pages.typst(scene, folder, symbols.qrcode_svg(version), tagged=True)

    def typst_tuned() -> Make:
        return pages.typst(scene, folder, symbols.zxing_svg, tagged=False)

    def reportlab() -> Make:
        return pages.reportlab(scene, folder, picture)

    def reportlab_tuned() -> Make:
        return pages.reportlab(scene, folder, symbols.zxing_picture)

    def fpdf2() -> Make:
        return pages.fpdf2(scene, folder, picture, _unsigned)

    def weasyprint() -> Make:
        return pages.weasyprint(scene, folder, symbols.qrcode_address(version))

    return {
        "pyhanko-typst": lambda: _signed(typst(), signing.pyhanko(keys)),
        "pyhanko-typst-tuned": lambda: _signed(typst_tuned(), signing.pyhanko_tuned(keys)),
        "pyhanko-reportlab": lambda: _signed(reportlab(), signing.pyhanko(keys)),
        "pyhanko-reportlab-tuned": lambda: _signed(reportlab_tuned(), signing.pyhanko_tuned(keys)),
        "pyhanko-fpdf2": lambda: _signed(fpdf2(), signing.pyhanko(keys)),
        "pyhanko-weasyprint": lambda: _signed(weasyprint(), signing.pyhanko(keys)),
        "endesive-reportlab": lambda: _signed(reportlab(), signing.endesive(keys)),
        "endesive-typst-tuned": lambda: _signed(typst_tuned(), signing.endesive(keys)),
        "fpdf2": lambda: pages.fpdf2(scene, folder, picture, signing.fpdf2(keys)),
    }


def main() -> None:
    """Answer until there is nothing more asked."""
    stack, folder, keys = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    scene = json.loads((folder / "scene.json").read_text("utf-8"))
    make, jobs = makers(scene, folder, keys)[stack](), scene["jobs"]
    for line in sys.stdin:
        asked = json.loads(line)
        document = b""
        wall, cpu = time.perf_counter(), time.process_time()
        for number in range(asked["first"], asked["first"] + asked["count"]):
            document = make(jobs[number % len(jobs)])
        spent = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "bytes": len(document)}
        if asked["keep"]:
            Path(asked["keep"]).write_bytes(document)
        print(json.dumps(spent), flush=True)


if __name__ == "__main__":
    main()
