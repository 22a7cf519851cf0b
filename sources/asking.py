"""HTTP to a source: verified TLS, bounds on time and size, and for everything that goes wrong words and a way out."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from settings.errors import RefusalError, UnreachableError, UserError

_CONNECT, _READ = 10.0, 120.0
_SECONDS = 1800.0
"""How long all answers of one fetch may take together."""
_EXCERPT = 200


class Bounds:
    """What the answers of the source at `url` may take together: `octets`, after decompression, and half an hour."""

    def __init__(self, url: str, octets: int) -> None:
        self._url, self._octets, self._left = url, octets, octets
        self._deadline = time.monotonic() + _SECONDS

    def take(self, octets: int) -> None:
        """Count octets that were received; UserError where they, or the time, are past the bound."""
        self._left -= octets
        if self._left < 0:
            raise RefusalError(f"{self._url} sends more than {self._octets // 2**20} MiB; is it the right URL?")
        if time.monotonic() > self._deadline:
            raise UnreachableError(f"{self._url} is too slow: not done after {_SECONDS / 60:.0f} minutes")


class _Body:
    """The body of an answer, `raw`, read within bounds."""

    def __init__(self, raw: Any, bounds: Bounds) -> None:
        self._raw, self._bounds = raw, bounds

    def stream(self, size: int, decode_content: bool) -> Iterator[bytes]:
        try:
            for chunk in self._raw.stream(size, decode_content=decode_content):
                self._bounds.take(len(chunk))
                yield chunk
        except UserError:
            self._raw.close()
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


class _Adapter(HTTPAdapter):
    """Sends within timeouts, and receives within bounds."""

    def __init__(self, bounds: Bounds) -> None:
        super().__init__()
        self._bounds = bounds

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        self._bounds.take(0)
        return super().send(request, *arguments, **{**options, "timeout": (_CONNECT, _READ)})

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        response = super().build_response(req, resp)
        response.raw = _Body(resp, self._bounds)
        return response


def session(bounds: Bounds) -> requests.Session:
    """Return a session for one fetch. Proxies and CAs are the environment's (HTTPS_PROXY, REQUESTS_CA_BUNDLE)."""
    made = requests.Session()
    for scheme in ("http://", "https://"):
        made.mount(scheme, _Adapter(bounds))
    made.auth = lambda request: request  # or what a .netrc has would take the place of our token
    return made


@contextmanager
def in_words(url: str) -> Iterator[None]:
    """Raise what goes wrong on the way to `url` as UnreachableError; what is no JSON is for others to say."""
    try:
        yield
    except requests.exceptions.JSONDecodeError:
        raise
    except requests.exceptions.SSLError as error:
        raise UnreachableError(
            f"{url}: {_reason(error)}; if a CA of your own signs it, have REQUESTS_CA_BUNDLE name the CA's file"
        ) from None
    except requests.exceptions.RequestException as error:
        raise UnreachableError(f"{url} does not answer: {_reason(error)}; the allocations stay as they are") from None


def _reason(error: BaseException) -> str:
    """Return what lies at the bottom: errors of requests wrap those of urllib3, which wrap the system's."""
    if isinstance(error, requests.exceptions.Timeout):
        return "it takes too long"
    below: BaseException | None = error
    while below:
        if isinstance(below, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({below.verify_message})"
        if isinstance(below, OSError) and below.strerror:
            return below.strerror
        below = below.__cause__ or below.__context__
    return " ".join(str(error).split())[:_EXCERPT]


def refusal(answer: requests.Response) -> UserError:
    """Return the error for an answer whose status is not one of success."""
    what = f"{answer.url} answers {answer.status_code} {answer.reason}".rstrip()
    told = f" ({' '.join(answer.text.split())[:_EXCERPT]})" if "json" in answer.headers.get("Content-Type", "") else ""
    match answer.status_code:
        case 401 | 403:
            way_out = "see that tenants_source.token is valid, and may read this"
        case 404:
            way_out = "see that tenants_source.url is right"
        case 429 | 500 | 502 | 503 | 504:
            return UnreachableError(f"{what}{told}; the allocations stay as they are, try again later")
        case _:
            way_out = "see what its log says"
    return RefusalError(f"{what}{told}; {way_out}")
