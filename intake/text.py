"""Text from strangers: decoded as it says it is encoded, and made safe to read, to keep and to print."""

from __future__ import annotations

import codecs
import re

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_CHARSET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,39}", re.ASCII)
_CHARSETS = re.compile(
    r"utf-(8|16|32)(-[lb]e)?|iso8859-\d+|cp\d{3,4}|koi8-[rut]|mac-\w+|gb\w+|hz|big5\w*|euc_\w+|shift_jis\w*|"
    r"iso2022_\w+|johab|tis-620|ptcp154",
    re.ASCII,
)
"""What mail is written in, as Python names it. Other codecs, such as punycode, take time in the square of the text."""

_SEQUENCE = re.compile(r"\x1b\[[0-?]{0,32}[ -/]{0,4}[@-~]")
_LINE_END = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_UNSEEN = re.compile(
    "[\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_DEFANGED = (
    ("[.]", "."), ("(.)", "."), ("{.}", "."), ("[dot]", "."), ("(dot)", "."), ("[:]", ":"), ("(:)", ":"),
)  # fmt: skip


def decoded(octets: bytes, charset: str = "") -> str:
    """Return the text: by its byte order mark, else in `charset` if that is known, else UTF-8; it never fails."""
    for mark, name in _MARKS:
        if octets.startswith(mark):
            return octets[len(mark) :].decode(name, "replace")
    return octets.decode(_codec(charset), "replace")


def _codec(charset: str) -> str:
    if not _CHARSET.fullmatch(charset):
        return "utf-8"
    try:
        name = codecs.lookup(charset).name
    except LookupError:
        return "utf-8"
    return name if _CHARSETS.fullmatch(name) else "utf-8"


def cleaned(text: str) -> str:
    r"""Return the text as a person would see it: lines that end in "\n", nothing that is unseen or moves a cursor."""
    text = _CONTROL.sub(" ", _LINE_END.sub("\n", _SEQUENCE.sub("", text)))
    return text if text.isascii() else _UNSEEN.sub("", text)


def printable(text: str, most: int) -> str:
    """Return the text as one line of at most `most` printable characters; an ellipsis says that it was longer."""
    if len(text) > most or not text.isprintable():
        text = cleaned(text[: most * 8])
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else " " for letter in text)
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"


def armed(text: str) -> str:
    """Return the text with the brackets taken out that keep addresses from being clicked: 192[.]0[.]2[.]7."""
    if "[" in text or "(" in text or "{" in text:
        for written, meant in _DEFANGED:
            text = text.replace(written, meant)
    return text
