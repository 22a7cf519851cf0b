"""Allocations over HTTP, from a real server: pages, tokens, and everything that may come instead of them."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from settings.errors import RefusalError, UnreachableError, UserError
from settings.tenant_source import HttpSource
from sources.http_json import fetch
from tenants.cells import FOREVER, parse_time
from tenants.present import Present
from tenants.rows import COLUMNS
from tenants.spans import Holding
from tests.sources.serving import Answer, Asked, serving

NOV = parse_time("2026-11-01")
UNTOLD = frozenset(Holding._fields) - {"tenant"}
ITEM = {"prefix": "192.0.2.0/24", "tenant": "acme"}


def source(url: str, **values: Any) -> HttpSource:
    return HttpSource(kind="http", url=url, **values)


def fetched(answer: Callable[[Asked], Answer] | Answer, path: str = "/", **values: Any) -> list[Present]:
    with serving(answer if callable(answer) else lambda _: answer) as url:
        return fetch(source(url + path, **values))


def refused(answer: Callable[[Asked], Answer] | Answer, kind: type[UserError] = RefusalError, **values: Any) -> str:
    with pytest.raises(kind) as caught:
        fetched(answer, **values)
    assert type(caught.value) is kind
    return str(caught.value)


def test_items_have_the_columns_of_the_file() -> None:
    full = {"resource": "vm-7", "service": "vps", "region": "eu", "class": "basic"}
    times = {"valid_from": "2026-11-01", "valid_to": "2026-11-02T00:00:00+01:00"}
    found = fetched(
        Answer([{**ITEM, **full, **times}, {"prefix": "::ffff:192.0.2.7/128", "tenant": 1234, "valid_to": None}])
    )
    assert found == [
        Present(
            ip_network("192.0.2.0/24"),
            Holding("acme", "vm-7", "vps", "eu", "basic"),
            NOV,
            NOV + 82_800_000,
            "item 1",
        ),
        Present(ip_network("192.0.2.7/32"), Holding("1234"), None, FOREVER, "item 2", UNTOLD),
    ]
    (silent,) = fetched(Answer({"allocations": [{**ITEM, "valid_from": None, "region": ""}]}))
    assert (silent.valid_from, silent.valid_to, silent.holding) == (None, None, Holding("acme"))
    assert silent.untold == UNTOLD - {"region"}


def test_pages_are_followed_with_the_token() -> None:
    asked: list[Asked] = []

    def answer(request: Asked) -> Answer:
        asked.append(request)
        number = int(request.parameters.get("page", ["1"])[0])
        following = f"?page={number + 1}" if number < 3 else None
        return Answer(
            {"allocations": [{"prefix": f"10.0.{number}.0/24", "tenant": "a"}], "next": following, "count": 3}
        )

    assert [one.origin for one in fetched(answer, "/v1/allocations", token="secret")] == ["item 1", "item 2", "item 3"]
    assert [request.path for request in asked] == ["/v1/allocations"] * 3
    assert {request.headers["Authorization"] for request in asked} == {"Bearer secret"}


def test_keys_may_be_called_otherwise() -> None:
    (found,) = fetched(
        Answer([{"cidr": "192.0.2.0/24", "customer": "acme", "since": "2026-11-01", "note": "x", "region": "eu"}]),
        fields={"prefix": "cidr", "tenant": "customer", "valid_from": "since"},
    )
    assert (found.holding, found.valid_from) == (Holding("acme", region="eu"), NOV)


def test_every_fault_names_its_item() -> None:
    items = [
        {"prefix": "192.0.2.1/24", "tenant": ""},
        "192.0.2.0/24",
        {**ITEM, "tennant": "b", "id": 7},
        {"tenant": "acme", "region": ["eu"], "class": True},
        {**ITEM, "valid_from": "2026-11-02", "valid_to": "2026-11-01"},
    ]
    first, *faults = refused(Answer(items)).splitlines()
    assert first.startswith("what http://127.0.0.1:")
    assert faults == [
        "item 1: '192.0.2.1/24' has bits set beyond its length; did you mean 192.0.2.0/24?",
        "item 1: the tenant is empty",
        f"item 2: expected an object with the keys {', '.join(COLUMNS)}",
        "item 3: unknown key 'tennant'; did you mean 'tenant'?",
        "item 3: unknown key 'id'; see 'fields'",
        "item 4: 'prefix' is missing",
        "item 4: 'region' must be text",
        "item 4: 'class' must be text",
        "item 5: valid_to 2026-11-01 is not after valid_from 2026-11-02",
    ]
    assert refused(Answer([{}] * 30)).splitlines()[-1] == "and 40 more"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(b"<html>log in</html>"), "does not answer with JSON"),
        (Answer(b"[" * 100_000), "does not answer with JSON"),
        (Answer({"results": []}), "answers neither with a list of allocations nor"),
        (Answer({"allocations": [], "nxt": "?page=2"}), "answers neither with a list of allocations nor"),
        (Answer({"allocations": [], "next": 2}), "'next' must be a URL"),
        (Answer({"allocations": [], "next": "/"}), "'next' leads in a circle"),
        (Answer({"allocations": [], "next": "http://127.0.0.2/"}), "'next' leads to another server, http://127.0.0.2/"),
        (Answer({"detail": "expired"}, 401), 'Unauthorized ({"detail": "expired"}); see that tenants_source.token'),
        (Answer(b"", 404), "answers 404 Not Found; see that tenants_source.url is right"),
        (Answer(b"", 418), "answers 418"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_way_out(answer: Answer, words: str) -> None:
    assert words in refused(answer)


def test_a_server_that_fails_or_is_away_is_unreachable() -> None:
    assert "503 Service Unavailable; the allocations stay" in refused(Answer(b"", 503), UnreachableError)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(UnreachableError, match="does not answer: Connection refused"):
            fetch(source(f"http://127.0.0.1:{free.getsockname()[1]}/"))
    with serving(lambda _: Answer([])) as url, pytest.raises(UnreachableError):
        fetch(source(url.replace("http:", "https:")))


def test_time_and_size_are_bounded_after_decompression_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr("sources.asking._READ", 0.05)
        with pytest.raises(UnreachableError, match="it takes too long"):
            fetch(source(f"http://127.0.0.1:{silent.getsockname()[1]}/"))
    monkeypatch.setattr("sources.asking._READ", 10.0)
    monkeypatch.setattr("sources.http_json._OCTETS", 2**20)
    body = gzip.compress(json.dumps([" " * 2**21]).encode())
    assert "sends more than 1 MiB" in refused(Answer(body, headers={"Content-Encoding": "gzip"}))
    monkeypatch.setattr("sources.asking._SECONDS", -1.0)
    assert "is too slow" in refused(Answer([]), UnreachableError)


def test_a_token_goes_to_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Asked] = []

    def other(request: Asked) -> Answer:
        seen.append(request)
        return Answer([ITEM])

    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with serving(other) as elsewhere:
        target = elsewhere.replace("127.0.0.1", "localhost")
        fetched(lambda request: Answer(b"", 302, {"Location": target}), token="secret")
        assert "Authorization" not in seen.pop().headers
        fetch(source(elsewhere, token="secret"))
        assert seen.pop().headers["Authorization"] == "Bearer secret"


def certified(directory: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's side of TLS for 127.0.0.1, and the file of the certificate that it signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lab")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = directory / "server.pem"
    file.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context, file


def test_a_certificate_has_to_be_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, file = certified(tmp_path)
    with serving(lambda _: Answer([ITEM]), context) as url:
        with pytest.raises(UnreachableError, match=r"its certificate is not trusted .*REQUESTS_CA_BUNDLE"):
            fetch(source(url))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
        assert len(fetch(source(url))) == 1
