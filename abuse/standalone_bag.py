"""A bag's form, as `standalone_evidence` checks it: that all its files are there, no others, and each as it was packed.

It needs Python 3.8 or later and its standard library, and none of Flowkeep. `bag.program` puts it into the one file
that lies in each bag.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable
from typing import BinaryIO, NamedTuple

from abuse.standalone_proofs import sha256

OK, NOTE, BAD = "OK", "NOTE", "BAD"
DECLARATION = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
MANIFEST, TAGMANIFEST = "manifest-sha256.txt", "tagmanifest-sha256.txt"
SIGNATURE, TIMESTAMP = "signature.txt", "timestamp.tsr"
UNLISTED = {TAGMANIFEST, SIGNATURE, TIMESTAMP}
NEEDED = {"bagit.txt", "bag-info.txt", MANIFEST}
NAME = "[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9_-])?"
LARGEST = 2**26
"""More octets than a file has that is read whole; those in data/ may have any number."""


class Check(NamedTuple):
    """What a check came to: OK, BAD, or NOTE for what it could not show; of which kind and file; and in words."""

    verdict: str
    kind: str
    file: str
    words: str


def is_name(name: str) -> bool:
    """Say whether a file in a bag may have this name: plain, relative, and leading nowhere else."""
    return len(name) <= 200 and bool(re.fullmatch(NAME + "(?:/" + NAME + ")*", name))


def listing(octets: bytes) -> dict[str, str]:
    """Return what a manifest lists, hashes by name; ValueError where it is none, or not sorted by name."""
    *lines, rest = octets.decode("ascii").split("\n")
    matches = [re.fullmatch("([0-9a-f]{64})  (.+)", line) for line in lines]
    found = {match[2]: match[1] for match in matches if match and is_name(match[2])}
    if rest or len(found) < len(lines) or list(found) != sorted(found):
        raise ValueError("it is no list of hashes and plain names, sorted by name")
    return found


class Bag:
    """A bag's files, and what the checks came to."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.checks: list[Check] = []
        self.files: set[str] = set()
        self.directories: set[str] = set()
        self.payload: dict[str, str] = {}
        self.tags: dict[str, str] = {}
        self._kept: dict[str, bytes] = {}

    def add(self, verdict: str, kind: str, file: str, words: str) -> None:
        """Put down what a check came to."""
        self.checks.append(Check(verdict, kind, file, words))

    def check(self, kind: str, file: str, work: Callable[[], str]) -> None:
        """Do a check; what it returns is put down as good unless it put down something itself."""
        before = len(self.checks)
        try:
            words = work()
        except ValueError as error:
            self.add(BAD, kind, file, str(error))
        except OSError as error:
            self.add(BAD, kind, file, "it cannot be read: " + str(error.strerror))
        else:
            if len(self.checks) == before:
                self.add(OK, kind, file, words)

    def check_form(self) -> None:
        """Check that this is a bag with all its files, no others, and each as it was."""
        self.check("form", "", self._walk)
        self.check("form", "bagit.txt", self._declaration)
        self.check("form", MANIFEST, self._manifest)
        self.check("form", TAGMANIFEST, self._tagmanifest)
        self.check("form", "", self._complete)
        self.check("hash", "", self._hashes)

    def octets(self, name: str) -> bytes:
        """Return a whole file. It is read once: what is hashed is what is used."""
        if name not in self.files:
            raise ValueError("it is not there")
        if name not in self._kept:
            with self._open(name) as file:
                octets = file.read(LARGEST + 1)
            if len(octets) > LARGEST:
                raise ValueError("it is too large to be what it is called")
            self._kept[name] = octets
        return self._kept[name]

    def _open(self, name: str) -> BinaryIO:
        """Open a file, never through a symbolic link, and never waiting for who writes to a pipe."""
        flags = [getattr(os, flag, 0) for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY")]
        file = os.fdopen(os.open(os.path.join(self.place, name), os.O_RDONLY | sum(flags)), "rb")
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise ValueError("it is no file")
        return file

    def _digest(self, name: str) -> str:
        if name in self._kept:
            return sha256(self._kept[name])
        value = hashlib.sha256()
        with self._open(name) as file:
            for octets in iter(lambda: file.read(2**20), b""):
                value.update(octets)
        return value.hexdigest()

    def _walk(self) -> str:
        waiting = [""]
        while waiting:
            above = waiting.pop()
            for each in sorted(os.listdir(os.path.join(self.place, above))):
                name = above + each
                mode = os.lstat(os.path.join(self.place, name)).st_mode
                if not is_name(name):
                    self.add(BAD, "form", name, "no file in a bag has such a name")
                elif stat.S_ISDIR(mode):
                    self.directories.add(name)
                    waiting.append(name + "/")
                elif stat.S_ISREG(mode):
                    self.files.add(name)
                else:
                    self.add(BAD, "form", name, "it is neither a file nor a directory")
        return "there are only files and directories, with plain names"

    def _declaration(self) -> str:
        if self.octets("bagit.txt") != DECLARATION:
            raise ValueError("it does not declare BagIt 1.0 in UTF-8")
        return "it declares BagIt 1.0"

    def _manifest(self) -> str:
        self.payload = listing(self.octets(MANIFEST))
        return f"it lists {len(self.payload)} files of evidence"

    def _tagmanifest(self) -> str:
        self.tags = listing(self.octets(TAGMANIFEST))
        return f"it lists {len(self.tags)} other files"

    def _complete(self) -> str:
        listed = {*self.payload, *self.tags}
        parents = {"data"} | {name[: at.start()] for name in listed for at in re.finditer("/", name)}
        strays = {name for name in self.payload if not name.startswith("data/")}
        wrong = {
            "it is in the wrong manifest": strays | {name for name in self.tags if "/" in name or name in UNLISTED},
            "tagmanifest-sha256.txt does not list it": NEEDED - set(self.tags),
            "it is listed nowhere": self.files - listed - UNLISTED,
            "it is not there": (listed | {TAGMANIFEST, SIGNATURE}) - self.files,
            "it is a directory without a listed file": self.directories - parents,
        }
        for words, names in wrong.items():
            for name in sorted(names):
                self.add(BAD, "form", name, words)
        return "no file is missing, and none is there that is not listed"

    def _hashes(self) -> str:
        for name, wanted in {**self.payload, **self.tags}.items():
            if name not in self.files:
                continue
            try:
                found = self._digest(name)
            except (OSError, ValueError):
                found = ""
            if found != wanted:
                self.add(BAD, "hash", name, "it is not the file that was packed, or cannot be read")
        return "each listed file has the SHA-256 that it had"
