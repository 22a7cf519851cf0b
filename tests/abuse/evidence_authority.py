"""A real time stamp authority for tests: a web server on this machine that has `openssl ts -reply` answer."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_CONFIG = """
[tsa]
default_tsa = one
[one]
serial = {place}/serial
signer_cert = {place}/signer.pem
signer_key = {place}/signer.key
certs = {place}/authority.pem
signer_digest = sha256
default_policy = 1.2.3.4
other_policies = 1.2.3.5
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
"""
Answer = Callable[[BaseHTTPRequestHandler, bytes], None]
"""What answers a request, given the query."""


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Office:
    """The files of an authority: `authority.pem` is the root that is to be trusted."""

    def __init__(self, place: Path, until: timedelta = timedelta(days=9)) -> None:
        """Make keys and certificates; the signer's is good for so long."""
        place.mkdir()
        self.place, self.trusted = place, place / "authority.pem"
        root, signer = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        start = datetime.now(UTC) - timedelta(days=1)

        def certificate(name: str, key: ec.EllipticCurvePrivateKey, end: datetime) -> x509.CertificateBuilder:
            builder = x509.CertificateBuilder(_name("Root"), _name(name), key.public_key(), x509.random_serial_number())
            return builder.not_valid_before(start).not_valid_after(end)

        of_root = certificate("Root", root, start + timedelta(days=99))
        of_root = of_root.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        of_signer = certificate("Signer", signer, datetime.now(UTC) + until)
        of_signer = of_signer.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        self.trusted.write_bytes(of_root.sign(root, SHA256()).public_bytes(Encoding.PEM))
        (place / "signer.pem").write_bytes(of_signer.sign(root, SHA256()).public_bytes(Encoding.PEM))
        (place / "signer.key").write_bytes(
            signer.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )  # fmt: skip
        (place / "serial").write_text("01\n")
        (place / "tsa.cnf").write_text(_CONFIG.format(place=place))

    def reply(self, query: bytes) -> bytes:
        """The answer to a query, by openssl."""
        files = {name: self.place / name for name in ("query", "answer")}
        files["query"].write_bytes(query)
        command = ["openssl", "ts", "-reply", "-config", str(self.place / "tsa.cnf"), "-queryfile", str(files["query"])]
        subprocess.run([*command, "-out", str(files["answer"])], check=True, capture_output=True, timeout=60)
        return files["answer"].read_bytes()

    def answer(self, handler: BaseHTTPRequestHandler, query: bytes) -> None:
        """Answer as an authority does."""
        send(handler, self.reply(query))


def send(handler: BaseHTTPRequestHandler, octets: bytes, kind: str = "application/timestamp-reply") -> None:
    """Send an answer."""
    handler.send_response(200)
    handler.send_header("Content-Type", kind)
    handler.end_headers()
    handler.wfile.write(octets)


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """A server whose requests are answered so, and its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/timestamp-query"
            try:
                answer(self, self.rfile.read(int(self.headers["Content-Length"])))
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/tsa"
        finally:
            server.shutdown()
            thread.join()
