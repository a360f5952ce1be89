"""What the service asks of the process that reads uploads, and the signs between them."""

import struct
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from credential.schema import RecordSchema
from intake.records import IntakeResult

REQUEST = struct.Struct(">Q")
"""Before a request on the connection: its length."""

WALL = struct.Struct(">I")
"""With each connection on the control socket: seconds until the child is ended."""

DONE, TOO_SLOW, DIED = b"0", b"T", b"D"
"""How a child ended, on the control socket."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What reading one upload may cost.

    Attributes:
        memory_bytes: address space beyond what the helper has after its imports.
        cpu_seconds: whole seconds of processor time.
        wall_seconds: whole seconds until the answer.
        written_bytes: of one file written.
    """

    memory_bytes: int
    cpu_seconds: int
    wall_seconds: int
    written_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ReadTask:
    """Read a file; see ``intake.records.read_records``."""

    file: Path
    schema: RecordSchema
    photos: Path | None
    today: date


@dataclass(frozen=True, slots=True)
class CopyTask:
    """Make the annotated copy of a file; see ``intake.annotate.make_copy``.

    Attributes:
        checked: without photos.
        scratch: a folder of the service for parts of the copy, which it removes.
    """

    file: Path
    checked: IntakeResult
    scratch: Path


Task = ReadTask | CopyTask
