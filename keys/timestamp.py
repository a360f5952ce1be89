"""Ask time-stamping authorities for tokens (RFC 3161 over HTTP, 3.4): several of them, at once, again.

Every authority is asked by as many threads as it has connections, so that one
that takes 50 ms still gives hundreds of tokens a second. They speak HTTP by the
standard library, which takes a fifth of the processor's time that httpx does. A request that fails is
put to the next authority, and one that keeps failing is left alone for a while.
A token is handed on only after it was verified like a stranger's: for this very
message, signed by an authority that the trust list names, and with a time that
agrees with our clock.
"""

import base64
import hashlib
import http.client
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar, Final

import httpx
from asn1crypto import cms, core, tsp

from credential.errors import ConfigError, UnavailableError
from credential.timestamp import MAX_TOKEN_BYTES, BadTimestamp
from credential.token_check import TokenCheck

CONNECTIONS = 48
"""To each authority at most: at 50 ms an answer they bear 900 tokens a second, more than one process signs."""
TIMEOUT = 10.0
"""Seconds for one answer; the slowest of the free authorities take two."""
ROUNDS = 3
"""How often every authority is asked for one token before the caller has to wait."""
PAUSE = 0.5
"""Seconds before the second round; doubled for each further one."""
REST = timedelta(seconds=15)
"""How long an authority that failed is asked only when no other is left."""
MAX_SKEW = timedelta(minutes=10)
"""Between a token's time and ours; a larger one means that a clock is wrong."""
SPARE = 768
"""Bytes that a later token may be longer than the one that was measured: a longer number, one more attribute."""
ROUND_UP = 1024
"""So that tokens of slightly different length leave the same room, and the room says nothing of the authority."""
NONCE_BYTES = 8
MAX_ANSWER_BYTES = MAX_TOKEN_BYTES + 1024
_PROBE: Final = b"how long is a token"
# TimeStampReq (RFC 3161, 2.4.1) between the lengths: version 1 and SHA-256, whose NULL
# older authorities want; certReq TRUE.
_REQUEST_HEAD: Final = bytes.fromhex("020101 3031 300d06096086480165030402010500 0420")
_REQUEST_TAIL: Final = bytes.fromhex("0101ff")
GRANTED: Final = frozenset({"granted", "granted_with_mods"})


class BadTsaUrl(ConfigError):
    """What should be the address of a time-stamping authority is none."""

    code = "bad-tsa-url"

    def __init__(self, url: str) -> None:
        super().__init__(
            f"{url!r} is no address of a time-stamping authority: give http:// or https:// addresses, comma separated",
            f"{url!r} 不是有效的时间戳服务地址：请填写 http:// 或 https:// 地址，多个以逗号分隔",
        )


class AuthorityFailed(UnavailableError):
    """One answer of one authority was no good, or did not come."""

    code = "time-stamping-failed"

    def __init__(self, host: str, why_en: str, why_zh: str) -> None:
        super().__init__(f"{host}: {why_en}", f"时间戳服务 {host}：{why_zh}")
        self.host = host


class NoTimestamp(UnavailableError):
    """No authority gave a good token, though each was asked several times."""

    code = "no-timestamp"

    def __init__(self, failures: Sequence[AuthorityFailed]) -> None:
        en, zh = "; ".join(one.en for one in failures), "；".join(one.zh for one in failures)
        super().__init__(
            f"no time stamp was to be had ({en}); nothing is lost, resume when an authority answers again",
            f"未能取得时间戳（{zh}）；数据没有丢失，请待时间戳服务恢复后继续",
        )


class _Response(core.Sequence):  # type: ignore[misc] # asn1crypto is untyped
    """TimeStampResp as RFC 3161 has it: a refusal carries no token, which asn1crypto's own class demands."""

    _fields: ClassVar[list[Any]] = [
        ("status", tsp.PKIStatusInfo),
        ("time_stamp_token", cms.ContentInfo, {"optional": True}),
    ]


class _Authority:
    """One authority's address, its connections, and how it has been answering."""

    def __init__(self, url: str) -> None:
        try:
            address = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise BadTsaUrl(url) from error
        if not address.host or address.scheme not in {"http", "https"}:
            raise BadTsaUrl(url)
        self.url = url
        self.host = address.netloc.decode("ascii")  # without what may stand before it: name and password
        self.under_way = 0
        self.rests_until: datetime | None = None
        self.idle: list[http.client.HTTPConnection] = []
        self._is_tls = address.scheme == "https"
        self._name = address.raw_host.decode("ascii")
        # Always given: the end of an IPv6 address would be taken for it.
        self._port = address.port or (http.client.HTTPS_PORT if self._is_tls else http.client.HTTP_PORT)
        self._path = address.raw_path.decode("ascii")
        self._headers = {
            "Content-Type": "application/timestamp-query",
            "Accept": "application/timestamp-reply",
            "User-Agent": "Yinzheng",
        }
        if address.userinfo:
            who = base64.b64encode(f"{address.username}:{address.password}".encode()).decode("ascii")
            self._headers["Authorization"] = f"Basic {who}"

    def connection(self, tls: Callable[[], ssl.SSLContext]) -> http.client.HTTPConnection:
        """Make a connection, which is opened by its first request; proxies of the environment do not matter to it."""
        if self._is_tls:
            return http.client.HTTPSConnection(self._name, self._port, timeout=TIMEOUT, context=tls())
        return http.client.HTTPConnection(self._name, self._port, timeout=TIMEOUT)

    def exchange(self, connection: http.client.HTTPConnection, request: bytes) -> tuple[int, bytes, bool]:
        """Ask; gives the status, no more of the body than is looked at, and whether the connection is still good."""
        connection.request("POST", self._path, request, self._headers)
        response = connection.getresponse()
        body = response.read(MAX_ANSWER_BYTES + 1)
        # Of a body that is not at its end the rest would be taken for the next answer.
        is_over = response.isclosed() and not response.will_close
        response.close()
        return response.status, body, is_over


class TimestampClient:
    """Gets tokens from several authorities; safe for several threads, not across a fork.

    Args:
        urls: of the authorities; all are used alike.
        anchors: certificates of theirs, DER, as the trust list has them.
        now: tells the current moment.
        random: draws nonces.
        wait: sleeps for so many seconds.
        connections: to each authority at once.

    Raises:
        BadTsaUrl: an address is none.
        ValueError: there is none at all.
    """

    def __init__(  # noqa: PLR0913 - time, chance and waiting are passed in
        self,
        urls: Sequence[str],
        anchors: Sequence[bytes],
        *,
        now: Callable[[], datetime],
        random: Callable[[int], bytes],
        wait: Callable[[float], None] | None = None,
        connections: int = CONNECTIONS,
    ) -> None:
        if not urls:
            raise ValueError("a client without an authority")
        self._authorities = [_Authority(url) for url in urls]
        self._now = now
        self._random = random
        self._wait = wait or _sleep
        self._check = TokenCheck(anchors)
        self._lock = threading.Lock()
        self._threads = connections * len(urls)
        self._users = 0

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def close(self) -> None:
        """Close the connections that nobody uses; the client can be used again, and closed again."""
        with self._lock:
            idle = [connection for authority in self._authorities for connection in authority.idle]
            for authority in self._authorities:
                authority.idle = []
        for connection in idle:
            connection.close()

    @contextmanager
    def _connected(self) -> Iterator[None]:
        """Share connections among all that ask at the same time; the last one closes them."""
        with self._lock:
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                is_last = not self._users
            if is_last:
                self.close()

    def timestamp(self, message: bytes, max_bytes: int = MAX_TOKEN_BYTES) -> bytes:
        """Get a token for a message.

        Args:
            message: whole; only its SHA-256 leaves the house.
            max_bytes: a longer token is as good as none.

        Returns:
            The TimeStampToken, DER, verified.

        Raises:
            NoTimestamp: no authority gave a good one.
        """
        failures: dict[str, AuthorityFailed] = {}
        for number in range(ROUNDS):
            if number:
                self._wait(PAUSE * 2 ** (number - 1))
            asked: set[str] = set()
            while authority := self._take(asked):
                asked.add(authority.url)
                try:
                    token = self._ask(authority, message, max_bytes)
                except AuthorityFailed as failure:
                    failures[authority.url] = failure
                    self._give_back(authority, rests=True)
                else:
                    self._give_back(authority, rests=False)
                    return token
        raise NoTimestamp(list(failures.values()))

    def timestamp_many(self, messages: Iterable[bytes], max_bytes: int = MAX_TOKEN_BYTES) -> list[bytes]:
        """Get a token for each message, in their order, many at once.

        Each is asked for as soon as the message is there, so that who makes
        messages one after another does not wait for the authority meanwhile.

        Raises:
            NoTimestamp: one could not be had; what was got for the others is given up.
        """
        waiting: list[Future[bytes]] = []
        with self._connected(), ThreadPoolExecutor(self._threads, "timestamp") as pool:
            try:
                for message in messages:
                    if waiting and waiting[0].done():
                        waiting[0].result()  # an authority that is down is not waited for until all is signed
                    waiting.append(pool.submit(self.timestamp, message, max_bytes))
                return [one.result() for one in waiting]
            except NoTimestamp:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    @cached_property
    def token_bytes(self) -> int:
        """The longest token there will be: every authority is asked for one, once for each client.

        Raises:
            NoTimestamp: none of them answers.
        """
        lengths: list[int] = []
        failures: list[AuthorityFailed] = []
        for authority in self._authorities:
            try:
                lengths.append(len(self._ask(authority, _PROBE, MAX_TOKEN_BYTES)))
            except AuthorityFailed as failure:
                failures.append(failure)
        if not lengths:
            raise NoTimestamp(failures)
        return -(-(max(lengths) + SPARE) // ROUND_UP) * ROUND_UP

    def _take(self, asked: set[str]) -> _Authority | None:
        """Choose the authority to ask next: a rested one before one that failed, then the least busy."""
        now = self._now()
        with self._lock:
            left = [one for one in self._authorities if one.url not in asked]
            if not left:
                return None
            chosen = min(left, key=lambda one: (one.rests_until is not None and now < one.rests_until, one.under_way))
            chosen.under_way += 1
            return chosen

    def _give_back(self, authority: _Authority, *, rests: bool) -> None:
        with self._lock:
            authority.under_way -= 1
            authority.rests_until = self._now() + REST if rests else None

    def _ask(self, authority: _Authority, message: bytes, max_bytes: int) -> bytes:
        nonce = int.from_bytes(self._random(NONCE_BYTES))
        answer = self._post(authority, encode_request(hashlib.sha256(message).digest(), nonce))
        token = _open(answer, authority.host)
        try:
            said = self._check.verify(token, message)
        except BadTimestamp as error:
            raise AuthorityFailed(authority.host, error.en, error.zh) from error
        if said.nonce != nonce:
            raise AuthorityFailed(authority.host, "it answered another request", "所答并非本次请求")
        now = self._now()
        if said.stated_at < now - MAX_SKEW or said.attested_at > now + MAX_SKEW:
            when = said.attested_at.isoformat(timespec="seconds")
            raise AuthorityFailed(
                authority.host, f"its clock says {when}, ours does not", f"其时钟为 {when}，与本机不符"
            )
        if len(token) > max_bytes:
            why_zh = f"令牌为 {len(token)} 字节，超出预留的 {max_bytes} 字节"
            raise AuthorityFailed(
                authority.host, f"its token of {len(token)} bytes does not fit in {max_bytes}", why_zh
            )
        return token

    def _post(self, authority: _Authority, request: bytes) -> bytes:
        host = authority.host
        try:
            with self._connected():
                status, body = self._exchange(authority, request)
        except (OSError, http.client.HTTPException) as error:
            kind = type(error).__name__
            raise AuthorityFailed(host, f"no answer ({kind})", f"无响应（{kind}）") from error
        if status != http.client.OK:
            raise AuthorityFailed(host, f"HTTP {status}", f"HTTP {status}")
        if len(body) > MAX_ANSWER_BYTES:
            raise AuthorityFailed(host, f"more than {MAX_ANSWER_BYTES} bytes", "响应过长")
        return body

    def _exchange(self, authority: _Authority, request: bytes) -> tuple[int, bytes]:
        """Ask over a connection that is open, or over a new one."""
        with self._lock:
            connection = authority.idle.pop() if authority.idle else None
        if connection is not None:
            try:
                return self._exchange_over(connection, authority, request)
            except (ConnectionError, ssl.SSLEOFError):
                pass  # the authority had closed it meanwhile, as it may; to be asked twice does no harm
        return self._exchange_over(authority.connection(lambda: self._tls), authority, request)

    def _exchange_over(
        self, connection: http.client.HTTPConnection, authority: _Authority, request: bytes
    ) -> tuple[int, bytes]:
        is_over = False
        try:
            status, body, is_over = authority.exchange(connection, request)
        finally:
            if is_over:
                with self._lock:
                    authority.idle.append(connection)
            else:
                connection.close()
        return status, body


def encode_request(imprint: bytes, nonce: int) -> bytes:
    """Encode a TimeStampReq (RFC 3161, 2.4.1), DER: version 1, by SHA-256, the signer's certificate wanted.

    Args:
        imprint: SHA-256 of the message.
        nonce: not negative, of at most ``NONCE_BYTES``.
    """
    number = nonce.to_bytes(nonce.bit_length() // 8 + 1)  # a bit more than it has, which is its sign
    content = b"".join((_REQUEST_HEAD, imprint, b"\x02", bytes((len(number),)), number, _REQUEST_TAIL))
    return bytes((0x30, len(content))) + content


def _open(answer: bytes, host: str) -> bytes:
    """Take the token out of a response (RFC 3161, 2.4.2)."""
    try:
        response = _Response.load(answer, strict=True)
        status = str(response["status"]["status"].native)
        token = b"" if status not in GRANTED else response["time_stamp_token"].dump()
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise AuthorityFailed(host, "what came is no time-stamp response", "返回内容不是时间戳响应") from error
    if not token:
        raise AuthorityFailed(host, f"it says {status}", f"状态为 {status}")
    return bytes(token)


def _sleep(seconds: float) -> None:
    threading.Event().wait(seconds)
