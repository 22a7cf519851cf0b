"""A time stamp of RFC 3161: what an authority says, under its own signature, of when some octets were there.

The authority gets a hash and nothing else. Requests are made and answers verified by the program `openssl`; a stamp
that is not sound is refused when it is made, for in court it is too late.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import IO
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from abuse.standalone_proofs import openssl, stamped_at
from settings.errors import ConfigError, RefusalError, UnreachableError, UserError

LARGEST = 2**17
"""Octets of an answer; one with a long chain of certificates has a tenth."""


@dataclass(frozen=True, slots=True)
class Authority:
    """Who stamps times: where, whose certificates are trusted for it (a file in PEM), and for how many seconds to wait.

    With `trusted` None the answer's own certificates are. ConfigError where the address is not of HTTP or HTTPS, or has
    a password in it, which messages would show.
    """

    url: str
    trusted: Path | None = None
    patience: float = 20.0

    def __post_init__(self) -> None:
        if not _is_address(self.url):
            raise ConfigError("the time stamp authority's address is to be http://HOST/... or https://HOST/...")

    def stamp(self, data: bytes) -> bytes:
        """Return the authority's whole answer, a TimeStampResp in DER, to a request for the SHA-256 of `data`.

        UnreachableError where it does not answer in time, RefusalError where it refuses or its answer is not sound.
        """
        digest, trusted = hashlib.sha256(data).hexdigest(), str(self.trusted) if self.trusted else None
        with tempfile.TemporaryDirectory() as place:
            query, reply = Path(place, "query"), Path(place, "reply")
            self._sound(lambda: openssl("ts", "-query", "-digest", digest, "-sha256", "-cert", "-out", str(query)))
            reply.write_bytes(self._asked(query.read_bytes()))
            self._sound(lambda: stamped_at(reply, query, trusted))
            return reply.read_bytes()

    def _sound(self, work: Callable[[], object]) -> None:
        try:
            work()
        except FileNotFoundError:
            raise RefusalError("time stamps need the program openssl, 3.0 or later, which is not here") from None
        except ValueError as error:
            raise RefusalError(f"{self.url}: there is no sound time stamp: {error}") from None

    def _asked(self, query: bytes) -> bytes:
        """Return the answer, waited for in a thread: a timeout of sockets begins anew with each octet that comes."""
        answers: SimpleQueue[bytes | UserError] = SimpleQueue()
        Thread(target=lambda: answers.put(self._ask(query)), daemon=True).start()
        try:
            answer = answers.get(timeout=self.patience)
        except Empty:
            raise UnreachableError(f"{self.url}: does not answer within {self.patience:g} s") from None
        if isinstance(answer, UserError):
            raise answer
        return answer

    def _ask(self, query: bytes) -> bytes | UserError:
        request = Request(self.url, query, {"Content-Type": "application/timestamp-query"})  # noqa: S310 - see above
        try:
            with build_opener(_NoRedirect).open(request, timeout=self.patience) as response:
                kind: str = response.headers.get_content_type()
                octets: bytes = response.read(LARGEST + 1)
        except HTTPError as error:
            error.close()
            return UnreachableError(f"{self.url}: answers with HTTP status {error.code}")
        except (OSError, HTTPException, ValueError) as error:
            return UnreachableError(f"{self.url}: does not answer: {error}")
        if kind != "application/timestamp-reply" or len(octets) > LARGEST:
            return RefusalError(f"{self.url}: what answers there is no time stamp authority")
        return octets


class _NoRedirect(HTTPRedirectHandler):
    """Goes nowhere that the configuration does not name."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:  # fmt: skip
        """Have the redirection be an error."""


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    is_plain = url.isascii() and url.isprintable() and " " not in url and "@" not in parts.netloc
    return is_plain and parts.scheme in ("http", "https") and bool(parts.hostname)
