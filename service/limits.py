"""Refuse one request too many: a moving window for each caller and kind of request, kept in memory.

Each process counts for itself: behind several, a caller has as many times the
limit. What must hold over processes and restarts (tries of a claim code, of an
ID number's end) is counted in the registry.
"""

import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from enum import StrEnum

import limits
from fastapi import Request
from limits.storage import MovingWindowSupport, Storage
from limits.strategies import MovingWindowRateLimiter

from credential.errors import RefusedError
from service.client_address import caller_of, client_address, read_networks
from service.settings import PREFIX, BadSetting, Settings

Guard = Callable[[Request], None]

MAX_CALLERS = 100_000
"""Windows kept; the one not used for longest goes first. A window is some kilobytes at most."""


class Kind(StrEnum):
    """Kinds of requests that are counted apart; each has a setting ``limit_<kind>``."""

    VERIFY = "verify"
    SERIAL = "serial"
    UPLOAD = "upload"
    CLAIM = "claim"
    DOWNLOAD = "download"
    PHOTO = "photo"
    WITNESS = "witness"


class TooManyRequests(RefusedError):
    """An address asked more often than it may.

    Attributes:
        headers: of the answer: when to come back, and what the limit is.
    """

    code = "too-many-requests"

    def __init__(self, kind: Kind, amount: int, window: int, wait: int) -> None:
        super().__init__(
            f"too many requests from your address; try again in {wait} seconds",
            f"您的网络地址请求过于频繁; 请在 {wait} 秒后重试",
        )
        self.wait = wait
        self.headers: Mapping[str, str] = {
            "Retry-After": str(wait),
            "RateLimit-Policy": f'"{kind}";q={amount};w={window}',
            "RateLimit": f'"{kind}";r=0;t={wait}',
        }


class Limiter:
    """Counts requests by caller and kind; safe to share among threads.

    Called with a request it is the guard of whatever route that is for: the
    kind is taken from path and type. Where only the body tells, the route asks
    :meth:`guard` for the kind as well.

    Args:
        settings: limits and trusted proxies.
        clock: seconds that only grow.

    Raises:
        BadSetting: a limit or a network cannot be read.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._trusted = read_networks(settings.trusted_proxies)
        self._rates = {kind: _rate(settings, kind) for kind in Kind}
        self._clock = clock
        self._windows = _Windows(clock)
        self._limiter = MovingWindowRateLimiter(self._windows)

    def __call__(self, request: Request) -> None:
        """Count a request by the kind that its path and type tell.

        Raises:
            TooManyRequests: the caller has used up its limit.
        """
        self.count(kind_of(request), request)

    def guard(self, kind: Kind) -> Guard:
        """Make the guard of one kind of request."""

        def check(request: Request) -> None:
            self.count(kind, request)

        return check

    def count(self, kind: Kind, request: Request) -> None:
        """Count one request; one that is refused does not count.

        Raises:
            TooManyRequests: the caller has used up its limit.
        """
        rate = self._rates[kind]
        caller = caller_of(client_address(request, self._trusted))
        if not self._limiter.hit(rate, kind, caller):
            free_at = self._limiter.get_window_stats(rate, kind, caller).reset_time
            wait = max(1, math.ceil(free_at - self._clock()))
            raise TooManyRequests(kind, rate.amount, rate.get_expiry(), wait)


def kind_of(request: Request) -> Kind:
    """Say by path and type which kind a request is."""
    path: str = request.scope["path"].rstrip("/")  # what routes are chosen by; the URL would be put together to be cut
    if path in {"/claim", "/api/v1/claims"}:
        return Kind.CLAIM
    if path.startswith("/api/v1/downloads/"):
        return Kind.DOWNLOAD
    if path.startswith("/c/") and path.endswith("/photo"):
        return Kind.PHOTO
    if path == "/verify/serial":
        return Kind.SERIAL
    is_form = request.headers.get("content-type", "").lower().startswith("multipart/")
    return Kind.UPLOAD if is_form or (path == "/verify/file" and request.method == "POST") else Kind.VERIFY


def _rate(settings: Settings, kind: Kind) -> limits.RateLimitItem:
    name = f"limit_{kind}"
    text: str = getattr(settings, name)
    try:
        rate = limits.parse(text)
    except ValueError as error:
        raise BadSetting(PREFIX + name.upper(), text, "write it as 20/minute") from error
    if rate.amount < 1:
        raise BadSetting(PREFIX + name.upper(), text, "at least one must be let through")
    return rate


class _Windows(Storage, MovingWindowSupport):
    """When each key was hit: a bounded number of keys, under one lock, without a thread of its own.

    ``limits.storage.MemoryStorage`` never forgets a key and looks through all
    of them in a thread after each hit: whoever has many addresses could fill
    the memory and the processor.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._hits: OrderedDict[str, deque[float]] = OrderedDict()

    @property
    def base_exceptions(self) -> type[Exception]:
        """What a store that does not answer raises; this one always answers."""
        return ConnectionError

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count a hit if the window has room for it."""
        with self._lock:
            now = self._clock()
            hits = self._hits.setdefault(key, deque())
            self._hits.move_to_end(key)
            while hits and hits[0] <= now - expiry:
                hits.popleft()
            if len(hits) + amount > limit:
                return False
            hits.extend([now] * amount)
            if len(self._hits) > MAX_CALLERS:
                self._hits.popitem(last=False)
            return True

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:  # noqa: ARG002 - part of the library's interface
        """The moment of the oldest hit that counts, and how many do."""
        with self._lock:
            now = self._clock()
            counting = [hit for hit in self._hits.get(key, ()) if hit > now - expiry]
            return (counting[0] if counting else now), len(counting)

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count in a fixed window: not what this store is for."""
        raise NotImplementedError

    def get(self, key: str) -> int:
        """How many hits a key has."""
        with self._lock:
            return len(self._hits.get(key, ()))

    def get_expiry(self, key: str) -> float:
        """End of a fixed window: not what this store is for."""
        raise NotImplementedError

    def check(self) -> bool:
        """Memory always answers."""
        return True

    def reset(self) -> int:
        """Forget everything; returns how many keys there were."""
        with self._lock:
            known = len(self._hits)
            self._hits.clear()
            return known

    def clear(self, key: str) -> None:
        """Forget a key."""
        with self._lock:
            self._hits.pop(key, None)
