"""The pages in docs/ say what the code does, their links lead somewhere, and their examples are valid."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from checks.documents import ROOT, pages
from retention.policy import load_policy
from settings.config import load_config

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
EXAMPLE = re.compile(r"^```yaml\n(# file: (\S+)\n.*?)^```", re.MULTILINE | re.DOTALL)
EXAMPLES = [(page, found) for page in PAGES for found in EXAMPLE.finditer(page.read_text())]
LOADERS = {"flowkeep": load_config, "retention": load_policy}


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", pages())
def test_what_is_generated_is_current(name: str) -> None:
    path = ROOT / name
    assert path.read_text() == pages()[name], f"{path} is stale; `make docs` writes it anew"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(FENCE.sub("", page.read_text())):
        if re.match(r"\w+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), f"{page}: {link} leads nowhere"
        assert not anchor or target.suffix != ".md" or anchor in anchors(target), f"{page}: {link} has no such heading"


@pytest.mark.parametrize(("page", "found"), EXAMPLES, ids=lambda each: getattr(each, "name", ""))
def test_an_example_is_valid(page: Path, found: re.Match[str], tmp_path: Path) -> None:
    kind = next((kind for kind in LOADERS if Path(found[2]).stem.startswith(kind)), None)
    path = tmp_path / Path(found[2]).name
    path.write_text(found[1])
    if kind is None:
        assert yaml.safe_load(found[1]) is not None, f"{page}: {found[2]}"
        return
    variables = dict.fromkeys(re.findall(r"\$\{(\w+)", found[1]), "x")
    LOADERS[kind](path, variables)


def test_there_are_examples_of_both_files() -> None:
    assert {Path(found[2]).name for _, found in EXAMPLES} >= {"flowkeep.yaml", "retention.yaml"}
