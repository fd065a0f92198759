"""What a site publishes beside its HTML: each page as a program and as Markdown, and the record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gilnotes.site import cards
from gilnotes.site.blocks import Page
from gilnotes.site.outcomes import Record
from gilnotes.site.scripts import script
from gilnotes.site.texts import with_outcomes

CARD = "assets/card.png"
"""The picture of the site, named in the `og:image` of its pages."""

SCHEMA = Path(__file__).with_name("outcomes.schema.json")


@dataclass(frozen=True)
class Published:
    """A page as it is published."""

    title: str
    description: str
    text: str
    """Its Markdown, as it stands in its file."""

    page: Page
    target: str
    """Its file in the site: `race.html`."""

    @property
    def program(self) -> str:
        """Where its blocks are published as one program; empty, if it has none."""
        return with_suffix(self.target, ".py") if self.page.blocks else ""

    @property
    def markdown(self) -> str:
        """Where its Markdown is published, with the outcomes."""
        return with_suffix(self.target, ".md")


@dataclass(frozen=True)
class Site:
    """What a site says of itself."""

    name: str
    description: str
    url: str
    """Where it is published, with a slash at the end; empty, where nobody knows."""


def with_suffix(target: str, suffix: str) -> str:
    """Name the file beside a page: `race.html`, `.py` → `race.py`."""
    return str(PurePosixPath(target).with_suffix(suffix))


def files(site: Site, pages: Sequence[Published], record: Record) -> dict[str, bytes]:
    """Make the files that stand beside the pages, by their names in the site."""
    made = {
        CARD: cards.draw(site.name, site.description, cards.counts(record)),
        "llms.txt": llms_txt(site, pages).encode(),
        "outcomes.json": record.to_json().encode(),
        SCHEMA.name: SCHEMA.read_bytes(),
    }
    for page in pages:
        made[page.markdown] = with_outcomes(page.text, page.page, record).encode()
        if page.program:
            url = site.url and site.url + page.target
            made[page.program] = script(page.page, page.title, url).encode()
    return made


def llms_txt(site: Site, pages: Sequence[Published]) -> str:
    """List the pages for language models, as https://llmstxt.org/ describes it.

    >>> page = Published("The race", "Who loses.", "", Page("docs/race.md", (), ()), "race.html")
    >>> print(llms_txt(Site("notes", "All about it.", "https://example.org/"), [page]), end="")
    # notes
    <BLANKLINE>
    > All about it.
    <BLANKLINE>
    ## Pages
    <BLANKLINE>
    - [The race](https://example.org/race.md): Who loses.
    <BLANKLINE>
    ## Optional
    <BLANKLINE>
    - [outcomes.json](https://example.org/outcomes.json): the record of the build; each outcome with its block, interpreter and time
    - [outcomes.schema.json](https://example.org/outcomes.schema.json): what its fields mean
    """  # noqa: E501
    lines = [f"# {site.name}", ""]
    if site.description:
        lines += [f"> {site.description}", ""]
    lines += ["## Pages", ""]
    for page in pages:
        description = f": {page.description}" if page.description else ""
        lines.append(f"- [{page.title}]({site.url}{page.markdown}){description}")
    record = "the record of the build; each outcome with its block, interpreter and time"
    lines += [
        "",
        "## Optional",
        "",
        f"- [outcomes.json]({site.url}outcomes.json): {record}",
        f"- [{SCHEMA.name}]({site.url}{SCHEMA.name}): what its fields mean",
    ]
    return "\n".join(lines) + "\n"


def run_it_yourself(target: str) -> str:
    """The last section of a page that has blocks, in Markdown."""
    program = PurePosixPath(with_suffix(target, ".py")).name
    text = PurePosixPath(with_suffix(target, ".md")).name
    return f"""

## Run it yourself

The blocks of this page as one program: <a href="{program}" download>{program}</a>.
It needs `gilnotes` and nothing else. `python {program}` shows what *your* interpreters make of it.

The page as Markdown, with its outcomes: <a href="{text}">{text}</a>.
"""
