"""The guide's examples are read, and no word of the language is missing from it."""

from __future__ import annotations

import re

import pytest

from query.filter import parse
from query.guide import ENTRIES, INTRODUCTION
from query.words import ABSENT, KEYWORDS

EXAMPLES = [example for entry in ENTRIES for example in entry.examples]


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_read(example: str) -> None:
    parse(example)


def test_every_word_has_an_example() -> None:
    text = " ".join([*EXAMPLES, INTRODUCTION]).lower()
    missing = {word for word in KEYWORDS if not re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text)}
    assert missing - set(ABSENT) == {f"mpls label{place}" for place in range(2, 10)}
