"""Ask the witnesses of the log for their cosignatures, all at once and not for long (C2SP tlog-witness)."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING

from credential.cosignature import (
    WitnessRequest,
    cosignature_lines,
    format_request,
    read_cosignatures,
)
from credential.errors import Error
from credential.note import BadNote, Checkpoint, format_signature, parse_note
from credential.trust import TrustList, Witness
from service.witness_list import NotCosigned, count_cosigned

if TYPE_CHECKING:
    from service.witness_http import WitnessPost

PATIENCE = 3.0
"""Seconds that all witnesses together have, until as many have answered as are demanded."""

GRACE = 0.5
"""Seconds that the others have after that."""

REST = 15.0
"""Seconds that a witness is left alone after it failed, so that not every run waits for it."""

MAX_SKEW_SECONDS = 300
"""How far a witness's clock may be ahead."""

_TURNS = 3  # with the size we believe, with the one it tells, and once more where another process was quicker
_SIZE_TYPE = "text/x.tlog.size"
_AT_ONCE = 16
_MAX_LINES = 16  # in an answer; one is what we ask for, and an old and a new key are two

Prove = Callable[[int], Sequence[bytes]]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of asking one witness.

    Attributes:
        witness: that was asked.
        line: its verified cosignature, with a line end; empty when it gave none.
        problem: why not; None when it did.
    """

    witness: Witness
    line: str
    problem: Error | None = None


@dataclass(frozen=True, slots=True)
class _Head:
    """What witnesses are asked to cosign."""

    note: str
    checkpoint: Checkpoint
    prove: Prove
    until: float  # of time.monotonic()


class WitnessClient:
    """The witnesses of one log, as registry.log.sequencer.Cosigners; safe to share among threads.

    Args:
        trust: gives the newest trust list.
        addresses: gives the address of each witness by name.
        now: the clock.
        patience: seconds, see ``PATIENCE``.
        grace: seconds, see ``GRACE``.
        rest: seconds, see ``REST``.
    """

    def __init__(  # noqa: PLR0913 - two sources, the clock and three times
        self,
        trust: Callable[[], TrustList],
        addresses: Callable[[], Mapping[str, str]],
        now: Callable[[], datetime],
        *,
        patience: float = PATIENCE,
        grace: float = GRACE,
        rest: float = REST,
    ) -> None:
        self._trust = trust
        self._addresses = addresses
        self._now = now
        self._patience = patience
        self._grace = grace
        self._rest = rest
        self._sizes: dict[str, int] = {}  # what each witness cosigned last, as far as we know
        self._resting: dict[str, tuple[float, Error]] = {}
        self._busy: dict[str, Future[str]] = {}
        self._replies: dict[str, Reply] = {}
        self._proving = Lock()
        self._hands = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="yinzheng-witness")

    @property
    def threshold(self) -> int:
        """How many witnesses the trust list demands; 0 where it cannot be read, for then nothing is provable yet."""
        try:
            return self._trust().witness_threshold
        except Error as error:
            _logger.warning("the witnesses are not known, the trust list cannot be read: %s", error.code)
            return 0

    def count(self, note: str) -> int:
        """How many witnesses cosigned a note, every line verified; see registry.log.sequencer.Cosigners."""
        try:
            trust = self._trust()
        except Error as error:
            _logger.warning("no cosignature can be counted: %s", error.code)
            return 0
        return count_cosigned(trust, note)

    @property
    def replies(self) -> Mapping[str, Reply]:
        """What came of asking each witness last, by name; a witness that had cosigned already was not asked."""
        return dict(self._replies)

    def cosign(self, note: str, checkpoint: Checkpoint, prove: Prove) -> str:
        """Add to a signed note the cosignatures that it misses; see registry.log.sequencer.Cosigners.

        Raises:
            nothing for a witness that is dead, slow, or answers nonsense.
        """
        try:
            trust, addresses = self._trust(), self._addresses()
        except Error as error:
            _logger.warning("no witness can be asked: %s", error.code)
            return note
        witnesses = trust.witnesses
        bare, lines = _known_lines(note, checkpoint.origin, witnesses)
        missing = [one for one in witnesses if one.name not in lines]
        head = _Head(bare, checkpoint, prove, time.monotonic() + self._patience)
        for reply in self._ask(missing, addresses, head, trust.witness_threshold - len(lines)):
            self._replies[reply.witness.name] = reply
            if reply.line:
                lines[reply.witness.name] = reply.line
        cosigned = bare + "".join(lines[one.name] for one in witnesses if one.name in lines)
        try:
            _check_added(bare, cosigned, len(witnesses))
            count_cosigned(trust, cosigned)
        except BadNote as error:  # each line was verified, so this is our own fault: better without any
            _logger.error("the cosigned note would be refused by verifiers, and is left as it was: %s", error.en)  # noqa: TRY400 - the cause is in the text
            return bare
        return cosigned

    def close(self) -> None:
        """End connections and threads."""
        self._hands.shutdown(wait=False, cancel_futures=True)
        if "_http" in self.__dict__:
            self._http.close()

    def _ask(
        self, witnesses: Sequence[Witness], addresses: Mapping[str, str], head: _Head, needed: int
    ) -> Sequence[Reply]:
        """Ask all at once; whoever is not done in time is left behind."""
        replies: list[Reply] = []
        asked: dict[Future[str], Witness] = {}
        for witness in witnesses:
            excuse = self._excuse(witness, addresses)
            if excuse is None:
                asked[self._start(witness, addresses[witness.name], head)] = witness
            else:
                replies.append(Reply(witness, "", excuse))
        waiting = set(asked)
        until = head.until
        while waiting:
            done, waiting = wait(waiting, max(0.0, until - time.monotonic()), FIRST_COMPLETED)
            replies += [self._judged(asked[future], future) for future in done]
            if sum(bool(reply.line) for reply in replies) >= max(needed, 1):
                until = min(until, time.monotonic() + self._grace) if until == head.until else until
            if not done:
                break
        late = NotCosigned("it did not answer in time", "未及时应答")
        replies += [self._failed(asked[future], late) for future in waiting]
        return replies

    def _start(self, witness: Witness, address: str, head: _Head) -> Future[str]:
        future = self._hands.submit(self._ask_one, witness, f"{address}/add-checkpoint", head)
        self._busy[witness.name] = future
        return future

    def _excuse(self, witness: Witness, addresses: Mapping[str, str]) -> Error | None:
        """Why a witness is not asked now, if so."""
        if witness.name not in addresses:
            return NotCosigned(
                "its address is not known; give it: yinzheng witness add", "未登记网址; 请用 yinzheng witness add 登记"
            )
        busy = self._busy.get(witness.name)
        if busy is not None and not busy.done():
            return NotCosigned("it has not answered the last request yet", "尚未应答上一次请求")
        until, error = self._resting.get(witness.name, (0.0, None))
        return error if time.monotonic() < until else None

    def _judged(self, witness: Witness, future: Future[str]) -> Reply:
        try:
            line = future.result()
        except Error as error:
            return self._failed(witness, error)
        self._resting.pop(witness.name, None)
        return Reply(witness, line)

    def _failed(self, witness: Witness, error: Error) -> Reply:
        self._resting[witness.name] = (time.monotonic() + self._rest, error)
        _logger.warning("the witness %s gave no cosignature: %s", witness.name, error.en)
        return Reply(witness, "", error)

    @cached_property
    def _http(self) -> "WitnessPost":
        # A library of some weight, which a log without witnesses does not need.
        from service.witness_http import WitnessPost  # noqa: PLC0415 - see above

        return WitnessPost(self._patience)

    # In a thread of its own

    def _ask_one(self, witness: Witness, url: str, head: _Head) -> str:
        """Ask one witness, again with the size it names; gives its verified line."""
        size = head.checkpoint.size
        old = min(self._sizes.get(witness.name, 0), size)
        for _ in range(_TURNS):
            with self._proving:  # the reader of tiles behind it is not meant for several threads
                proof = tuple(head.prove(old))
            status, kind, answer = self._http.post(
                url, format_request(WitnessRequest(old, proof, head.note)), head.until
            )
            if status == HTTPStatus.OK:
                line = self._verified(witness, head.note, answer)
                self._sizes[witness.name] = size
                return line
            told = _told_size(kind, answer) if status == HTTPStatus.CONFLICT else None
            if told is None or told == old:
                raise _refusal(status, answer)
            if told > size:
                raise self._ahead(witness, told, size)
            self._sizes[witness.name] = old = told
        raise NotCosigned("it names another size each time", "每次应答的规模都不一致")

    def _ahead(self, witness: Witness, told: int, size: int) -> Error:
        """Say loudly that a witness has seen more of our log than there is; another process may just have logged."""
        _logger.error(
            "the witness %s has cosigned %d leaves of this log, which has %d: was it rolled back, or forked?",
            witness.name,
            told,
            size,
        )
        return NotCosigned(
            f"it has cosigned {told} leaves of this log, which has {size}: was the log rolled back, or forked?",
            f"它已见证本日志的 {told} 条, 而本日志只有 {size} 条: 日志可能被回退或分叉",
        )

    def _verified(self, witness: Witness, note: str, answer: str) -> str:
        """Give the line that fits this very note; an answer is signature lines and nothing else (tlog-witness)."""
        try:
            cosigned = f"{note}{answer}"
            _check_added(note, cosigned, _MAX_LINES)
            found = read_cosignatures(cosigned, (witness,))
            line = cosignature_lines(cosigned, (witness,))
            read_cosignatures(f"{note}{line}", (witness,))  # as it is going to be published
        except BadNote as error:
            raise NotCosigned(f"its answer is not good: {error.en}", f"应答无效: {error.zh}") from error
        if not found:
            raise NotCosigned(
                "its answer has no cosignature by the key in the trust list", "应答中没有信任列表所载密钥的签名"
            )
        if found[0].seconds > self._now().timestamp() + MAX_SKEW_SECONDS:
            raise NotCosigned("its clock is ahead", "其时钟超前")
        return line


def _known_lines(note: str, origin: str, witnesses: tuple[Witness, ...]) -> tuple[str, dict[str, str]]:
    """Take a note apart: the log's own part, and the verified lines of these witnesses by name."""
    parsed = parse_note(note)
    own = "".join(format_signature(one) for one in parsed.signatures if one.name == origin)
    bare = f"{parsed.text}\n{own}"
    lines: dict[str, str] = {}
    for witness in witnesses:
        try:
            line = cosignature_lines(note, (witness,))
        except BadNote:
            continue  # a bad one is asked for anew
        if line:
            lines[witness.name] = line
    return bare, lines


def _check_added(note: str, cosigned: str, most: int) -> None:
    """Demand that a note differs from another by signature lines behind it and nothing else.

    Raises:
        BadNote: it does not. Where the text of a note ends is told by its last
            empty line, and an answer could bring one with it.
    """
    before, after = parse_note(note), parse_note(cosigned)
    added = after.signatures[len(before.signatures) :]
    if after.text != before.text or cosigned != note + "".join(map(format_signature, added)):
        raise BadNote("there is more in it than signature lines", "除签名行外还有其他内容")
    if len(added) > most:
        raise BadNote(f"there are {len(added)} lines in it", f"有 {len(added)} 行")


def _told_size(kind: str, answer: str) -> int | None:
    """The size that a witness says it cosigned last; None where the conflict is another."""
    number = answer.removesuffix("\n")
    if kind != _SIZE_TYPE or answer == number or not (number.isascii() and number.isdigit() and len(number) < 20):
        return None
    return int(number)


def _refusal(status: int, answer: str) -> NotCosigned:
    said = "".join(character for character in answer.partition("\n")[0][:200] if character.isprintable())
    return NotCosigned(f"it answers {status}: {said}", f"应答 {status}: {said}")
