"""Compiled prefixes on disk, named by a digest of all that went into them.

A file is one line of JSON (digest and object offsets) and the prefix. The folder
may be deleted at any time and is shared by processes.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

from press.fonts import FACES, FontLibrary
from press.page import PagePlan


def cache_key(plan: PagePlan, fonts: FontLibrary) -> str:
    """Digest everything that decides the bytes of a prefix: program, template, faces and issuer."""
    look = plan.look
    parts = (
        *(_code_digest(), version("typst"), plan.template.digest.hex(), fonts.digest(*FACES).hex()),
        *(plan.has_photo, look.is_sample),
        *(look.name, look.public_url, look.legal_effect, look.seal_arc, look.seal_bottom),
    )
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()


@cache
def _code_digest() -> str:
    """Digest of this folder's programs: another program may compile another prefix."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def read_cached(path: Path) -> tuple[bytes, list[int]] | None:
    """Read a prefix and its objects' offsets; a damaged file counts as missing, since it can be made anew."""
    try:
        head, content = path.read_bytes().split(b"\n", 1)
        facts = json.loads(head)
        offsets = [int(offset) for offset in facts["offsets"]]
        is_whole = hashlib.sha256(content).hexdigest() == facts["digest"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return (content, offsets) if is_whole else None


def write_cached(path: Path, content: bytes, offsets: Sequence[int]) -> None:
    """Keep a prefix; another process sees all of the file or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {"digest": hashlib.sha256(content).hexdigest(), "offsets": list(offsets)}
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".prefix-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(json.dumps(facts).encode() + b"\n" + content)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
