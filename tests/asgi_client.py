"""Ask an application over HTTP without a server: httpx speaks to it in this process."""

import asyncio
from typing import Any

import httpx
from starlette.types import ASGIApp


class Client:
    """One caller of an application; each request runs to its end before the next."""

    def __init__(self, app: ASGIApp, address: str = "127.0.0.1", **headers: str) -> None:
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(address, 50_000))
        self._headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def ask(self, method: str, url: str, **given: Any) -> httpx.Response:
        """Send a request; what httpx would add by itself, such as Accept, is left out."""

        async def send() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://zs.example.gov.cn") as client:
                client.headers = httpx.Headers(self._headers)
                return await client.request(method, url, **given)

        return asyncio.run(send())

    def get(self, url: str, **headers: str) -> httpx.Response:
        """Send GET with these headers; underscores stand for hyphens."""
        return self.ask("GET", url, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def post(self, url: str, **given: Any) -> httpx.Response:
        """Send POST."""
        return self.ask("POST", url, **given)
