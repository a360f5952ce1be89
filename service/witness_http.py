"""Post to a witness over HTTP: bounded in time, in length, and in what it may do."""

import time
import weakref

import httpx

from service.witness_list import NotCosigned

_CONNECT_SECONDS = 1.0
_MAX_ANSWER_BYTES = 1 << 16


class WitnessPost:
    """Connections to witnesses, kept open from one checkpoint to the next; safe to share among threads.

    Follows no redirect and no proxy of the environment: a witness is asked where its operator said.

    Args:
        patience: longest silence, seconds.
    """

    def __init__(self, patience: float) -> None:
        self._client = httpx.Client(
            timeout=httpx.Timeout(patience, connect=min(_CONNECT_SECONDS, patience)),
            follow_redirects=False,
            trust_env=False,
            headers={"Content-Type": "text/plain; charset=utf-8"},
        )
        self.close = weakref.finalize(self, self._client.close)
        """Ends all connections; done of itself when nobody holds this any more."""

    def post(self, url: str, body: str, until: float) -> tuple[int, str, str]:
        """Send a body; gives status, media type and text of the answer.

        Args:
            url: whole.
            body: text.
            until: of ``time.monotonic()``; an answer that goes on longer is given up.

        Raises:
            NotCosigned: no answer, or one that is too long, too slow or no text.
        """
        content = b""
        try:
            with self._client.stream("POST", url, content=body.encode()) as response:
                for part in response.iter_bytes():
                    content += part
                    if len(content) > _MAX_ANSWER_BYTES or time.monotonic() > until:
                        raise NotCosigned("its answer is too long or too slow", "应答过长或过慢")
                kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
                return response.status_code, kind, content.decode()
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeDecodeError) as error:
            name = type(error).__name__
            raise NotCosigned(f"it does not answer ({name})", f"未应答({name})") from error
