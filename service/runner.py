"""What the service does by itself: issue approved batches, and publish and renew what must not grow old.

Status lists and log, revocation lists, time stamps on checkpoints and long-term
evidence each have a thread: an authority that does not answer holds up nothing else.

The chunk table is the only truth about batches. A runner that was killed, or
several of them at once, finish each batch just the same; ``wake`` only spares
the wait for the next look.
"""

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event, Thread

from credential.errors import Error, RefusedError, UnavailableError
from registry.chunks import unfinished_batches
from service import batches
from service.crl import refresh_crls
from service.house import House
from service.issuers import all_issuers
from service.keeping import refresh_status_lists
from service.stamping import stamp_checkpoint
from service.trust import settle_trust_list

BATCH_PAUSE = 15.0
"""Seconds between two looks for batches that somebody else approved, such as the command line."""

KEEPING_PAUSE = 60.0
"""Seconds between two looks at status lists and log; a list is published anew past its ttl of ten minutes."""

WITNESSES_PAUSE = 10.0
"""Seconds between two rounds of asking witnesses that the trust list demands and that did not answer."""

STAMPING_PAUSE = 60.0
"""Seconds between two looks whether the checkpoint is due for a time stamp (``stamp_minutes`` says when it is)."""

RENEWING_PAUSE = 3600.0
"""Seconds between two looks at revocation lists and long-term evidence; both are due days before they end."""

RETRY_SECONDS = 30.0
"""How long a batch rests after a store did not answer."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a batch rests."""

    error: Error
    since: float  # of time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether trying again may help by now; what a rule refused waits for a person."""
        return isinstance(self.error, UnavailableError) and time.monotonic() - self.since >= RETRY_SECONDS


class Runner:
    """Works in threads of its own: one for batches, one for each thing that must not grow old."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._troubles: dict[int, Trouble] = {}
        self._stopping = Event()
        self._is_warm = False
        self._issuing = _Loop("issuing", self._issue_waiting, BATCH_PAUSE)
        self._loops = (
            self._issuing,
            _Loop("keeping", self._keep, KEEPING_PAUSE),
            _Loop("witnesses", self._collect, WITNESSES_PAUSE),
            _Loop("stamping", self._stamp, STAMPING_PAUSE),
            _Loop("revocation lists", self._refresh_crls, RENEWING_PAUSE),
            _Loop("archive", self._renew, RENEWING_PAUSE),
        )

    def start(self) -> None:
        """Start all threads; a batch that a killed process left goes on at once."""
        for loop in self._loops:
            loop.start()

    def wake(self, batch_id: int | None = None) -> None:
        """Look for work now; a batch that rests is tried again when it is named."""
        if batch_id is not None:
            self._troubles.pop(batch_id, None)
        self._issuing.wake()

    def trouble(self, batch_id: int) -> Error | None:
        """Why a batch does not go on, or None."""
        found = self._troubles.get(batch_id)
        return None if found is None else found.error

    def stop(self) -> None:
        """Finish the chunk in hand, then end; returns when all threads have ended."""
        self._stopping.set()
        for loop in self._loops:
            loop.tell_to_stop()
        for loop in self._loops:
            loop.join()

    def _warm(self) -> None:
        """Compile what each issuer's certificates begin with, so that the first to check or submit need not wait."""
        self._is_warm = True
        for issuer in all_issuers(self._house):
            if self._stopping.is_set():
                return
            try:
                template = self._house.templates.current(issuer.settings.template)
                press = self._house.press(issuer, template)
                for photo in template.layouts:
                    press.prefix(photo)
            except Error as error:
                _logger.warning("the press of %s is not warmed up: %s", issuer.id, error.code)

    def _issue_waiting(self) -> None:
        if not self._is_warm:
            self._warm()
        with self._house.database.reading() as session:
            waiting = unfinished_batches(session)
        for batch_id in waiting:
            resting = self._troubles.get(batch_id)
            if resting is not None and not resting.is_over:
                continue
            try:
                batches.run(self._house, batch_id, self._go_on)
            except batches.ServiceStops:
                return
            except Error as error:
                self._troubles[batch_id] = Trouble(error, time.monotonic())
                level = logging.ERROR if isinstance(error, RefusedError) else logging.WARNING
                _logger.log(level, "batch %d rests: %s", batch_id, error.code)
            else:
                self._troubles.pop(batch_id, None)
                _logger.info("batch %d is finished", batch_id)

    def _go_on(self, _done: int) -> None:
        if self._stopping.is_set():
            raise batches.ServiceStops

    def _keep(self) -> None:
        if settle_trust_list(self._house):
            _logger.info("a trust list was published whose publication had been cut off")
        published = refresh_status_lists(self._house)
        if published:
            _logger.info("status lists %s were published", published)

    def _collect(self) -> None:
        """Ask the witnesses again whose cosignature is missing; where none is demanded, each run of the log does."""
        if self._house.witness_list.threshold():
            self._house.log.sequence(self._house.now())

    def _stamp(self) -> None:
        stamped = stamp_checkpoint(self._house)
        if stamped is not None:
            _logger.info("%d authorities stamped the checkpoint of %d", len(stamped.stamped), stamped.size)

    def _refresh_crls(self) -> None:
        if refresh_crls(self._house):
            _logger.info("the revocation lists were published")

    def _renew(self) -> None:
        # It brings the library of long-term signatures, which most installations never need.
        from service.archiving import archive_status, renew_archive  # noqa: PLC0415 - see above

        status = archive_status(self._house)
        if any(status.due(count) for count in status.counts):
            try:
                renewed = renew_archive(self._house, on_progress=self._go_on)
            except batches.ServiceStops:  # the next start goes on
                return
            _logger.info("the evidence of %d files was extended", renewed.extended)


class _Loop:
    """Does one thing again and again in a thread; whatever goes wrong in one round does not end it."""

    def __init__(self, name: str, work: Callable[[], None], pause: float) -> None:
        self._name = name
        self._work = work
        self._pause = pause
        self._wanted = Event()
        self._ending = Event()
        self._thread = Thread(target=self._run, name=f"yinzheng-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._wanted.set()

    def tell_to_stop(self) -> None:
        self._ending.set()
        self._wanted.set()

    def join(self) -> None:
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        # A future holds whatever its work raised, so a round is judged without a handler that catches everything.
        with ThreadPoolExecutor(1, thread_name_prefix=f"yinzheng-{self._name}") as hands:
            while not self._ending.is_set():
                fault = hands.submit(self._work).exception()
                if fault is not None:
                    code = fault.code if isinstance(fault, Error) else type(fault).__name__
                    _logger.error("%s failed and is tried again: %s", self._name, code)
                self._wanted.wait(self._pause)
                self._wanted.clear()
