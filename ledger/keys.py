"""The Ed25519 key that signs checkpoints and certificates, and the public keys that ever did.

The private key is `signing.pem`, mode 0600, made at first use. Each public key has a file of its own that stays,
`key-NAME.json`: a line of canonical JSON with the key as PEM, signed by the key before it, the first by itself. NAME is
the start of the SHA-256 of the key in DER (SubjectPublicKeyInfo). Signed are the octets of the line with
`,"signature":"..."` taken out, as an entry is hashed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ledger.entry import LedgerError, canonical, read_json, sealed, time_text
from ledger.folder import Folder, opened

PRIVATE = "signing.pem"
_TYPE = "flowkeep ledger key"
_KEYS = ("type", "key", "public", "previous", "time", "signature")
_NAME_LENGTH = 16
_REMEDY = "put it back from a backup, or move the ledger's directory away, for a new one to begin"


def public_file(name: str) -> str:
    """Return the name of the file with a public key."""
    return f"key-{name}.json"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key on record: its name, itself as PEM, the key that speaks for it ("" for the first), since when."""

    key: str
    public: str
    previous: str
    time: str
    signature: str

    def line(self) -> bytes:
        """Return the record as it is kept, without the line feed."""
        return sealed(self.signed(), "signature", self.signature)

    def signed(self) -> bytes:
        """Return the octets that the signature is over."""
        return canonical({"type": _TYPE} | {name: getattr(self, name) for name in _KEYS[1:-1]})


def parse_public(data: bytes) -> PublicKey:
    """Return the record in a file; ValueError where it is none, octet for octet. Its signature is not looked at."""
    found = read_json(data)
    if not isinstance(found, dict) or tuple(found) != _KEYS or found.pop("type") != _TYPE:
        raise ValueError("it does not have the keys of a public key's record")
    if not all(isinstance(value, str) for value in found.values()):
        raise ValueError("something in it is no text")
    record = PublicKey(**found)
    if record.line() + b"\n" != data:
        raise ValueError("it is not in canonical form")
    if name_of(record.public.encode()) != record.key:
        raise ValueError("its name is not that of its key")
    return record


def name_of(public: bytes) -> str:
    """Return the name of a public key that is given as PEM; ValueError where it is none in its usual form."""
    lines = public.split(b"\n")
    if len(lines) != 4 or (lines[0], lines[2:]) != (b"-----BEGIN PUBLIC KEY-----", [b"-----END PUBLIC KEY-----", b""]):
        raise ValueError("it is no public key of Ed25519 in PEM")
    return hashlib.sha256(base64.b64decode(lines[1], validate=True)).hexdigest()[:_NAME_LENGTH]


def is_signed(public: bytes, data: bytes, signature: str) -> bool:
    """Say whether `signature`, in hexadecimal, is the key's over `data`; the key is given as PEM."""
    # here, because most commands never need it and it takes a thirtieth of a second to import
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(public)
        octets = bytes.fromhex(signature)
        if not isinstance(key, Ed25519PublicKey) or octets.hex() != signature:
            return False
        key.verify(octets, data)
    except (ValueError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


class SigningKey:
    """The ledger's private key, given as PEM, else ValueError. `name` is the key's, `public` the public half as PEM."""

    def __init__(self, private: bytes) -> None:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

        try:
            key = load_pem_private_key(private, None)
        except (TypeError, UnsupportedAlgorithm):
            raise ValueError("it is encrypted, or of a kind that is not known") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("it is a key of another kind")
        self._key = key
        self.public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self.name = name_of(self.public)

    def pem(self) -> bytes:
        """Return the private key as it is kept, PKCS 8 in PEM."""
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @classmethod
    def load(cls, directory: Path) -> SigningKey:
        """Return the key in the ledger's directory, made where there is none yet; LedgerError where it is not fit."""
        with opened(directory, write=True) as folder:
            return load(folder)

    def sign(self, data: bytes) -> bytes:
        """Return the signature, 64 octets. What is signed is to say by itself what it is (`"type"`, in JSON)."""
        return self._key.sign(data)

    def record(self, other: SigningKey, now: datetime) -> PublicKey:
        """Return the record by which this key speaks for another, or for itself."""
        previous = "" if other is self else self.name
        unsigned = PublicKey(other.name, other.public.decode(), previous, time_text(now), "")
        return PublicKey(
            other.name, unsigned.public, previous, unsigned.time, self.sign(unsigned.signed()).hex()
        )  # fmt: skip


def generate() -> SigningKey:
    """Return a new key, which is on no disk yet."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate()
    return SigningKey(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def load(folder: Folder) -> SigningKey:
    """Return the key of a folder that is open for writing, made where there is none yet; its public half beside it."""
    names = folder.names()
    is_known = any(name.startswith("key-") for name in names)
    if PRIVATE not in names:
        if is_known:
            raise LedgerError(f"the ledger's {PRIVATE} is gone; {_REMEDY}")
        folder.replace(PRIVATE, generate().pem())
    key = existing(folder)
    if public_file(key.name) not in names:
        if is_known:
            raise LedgerError(f"the ledger's {PRIVATE} is a key that no record names; {_REMEDY}")
        # The time is that of the file: a key that a crash left without its public half is not younger for it.
        record = key.record(key, folder.changed(PRIVATE))
        folder.replace(public_file(key.name), record.line() + b"\n")
    return key


def existing(folder: Folder) -> SigningKey:
    """Return the key of a folder that has one; LedgerError where others may read it, or it is none."""
    mode = folder.mode(PRIVATE)
    if mode & 0o077:
        raise LedgerError(
            f"the ledger's {PRIVATE} may be read by others (mode {mode:04o}); `chmod 600` it, and if somebody may have "
            "read it, `flowkeep ledger key --rotate`"
        )
    try:
        return SigningKey(folder.read(PRIVATE))
    except ValueError:
        raise LedgerError(f"the ledger's {PRIVATE} is no Ed25519 key in PEM; {_REMEDY}") from None


def pseudonym(folder: Folder, text: bytes) -> str:
    """Return a keyed digest of `text`, in hexadecimal: the same for the same text as long as the key is not rotated.

    A plain digest of a query that names an address is as good as the address: all four thousand million are tried in
    minutes. This one cannot be tried without the private key, and not at all when that has gone.
    """
    key = hashlib.sha256(b"flowkeep ledger pseudonym\n" + folder.read(PRIVATE)).digest()
    return hmac.new(key, text, hashlib.sha256).hexdigest()
