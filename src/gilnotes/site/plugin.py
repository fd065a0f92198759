"""The door to MkDocs: its events in, calls to the modules beside this one, nothing else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from markdown_exec import formatters
from mkdocs.config.base import Config
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import Abort, PluginError
from mkdocs.plugins import BasePlugin, get_plugin_logger
from mkdocs.structure.files import Files, get_files
from mkdocs.structure.pages import Page as MkDocsPage

from gilnotes import interpreters
from gilnotes.site.blocks import Page, find_blocks, for_markdown_exec
from gilnotes.site.cache import Cache
from gilnotes.site.outcomes import Record
from gilnotes.site.render import Renderer
from gilnotes.site.runner import run

log = get_plugin_logger("gilnotes")


class Settings(Config):  # type: ignore[no-untyped-call]
    """The options of the plugin in mkdocs.yml: none."""


class GilnotesPlugin(BasePlugin[Settings]):  # type: ignore[no-untyped-call]
    """Runs every block of every page before the old site is touched; renders from the outcomes."""

    def __init__(self) -> None:
        self.serving = False
        self.pages: dict[str, Page] = {}
        self.record = Record(())

    def on_startup(self, *, command: Literal["build", "gh-deploy", "serve"], dirty: bool) -> None:
        self.serving = command == "serve"

    def on_config(self, config: MkDocsConfig) -> MkDocsConfig:
        if "markdown-exec" not in config.plugins:
            raise PluginError("the gilnotes plugin needs the plugin markdown-exec beside it")
        return config

    def on_pre_build(self, *, config: MkDocsConfig) -> None:
        root = Path(config.config_file_path).parent
        self.pages = {}
        for file in get_files(config).documentation_pages():
            if file.abs_src_path:
                path = Path(file.abs_src_path)
                name = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
                self.pages[file.src_uri] = find_blocks(path.read_text("utf-8-sig"), name)
        self.record = Record(())
        problems = [problem for page in self.pages.values() for problem in page.problems]
        for problem in problems:
            log.error("%s", problem)
        if problems and not self.serving:
            raise Abort(f"{len(problems)} to mend in the Markdown; nothing was run")
        survey = interpreters.survey()
        required = os.environ.get("GILNOTES_REQUIRE", "").split()
        try:
            interpreters.select(required, survey.found)
        except (LookupError, ValueError) as error:
            raise Abort(f"GILNOTES_REQUIRE: {error}") from None
        cache = Cache(root / ".cache" / "gilnotes")
        for broken in survey.broken:
            log.warning("left out: %s", broken)
        self.record = run(
            [block for page in self.pages.values() for block in page.blocks],
            survey.found,
            cache=None if os.environ.get("GILNOTES_CACHE") == "off" else cache,
        )
        cache.prune()
        for outcome in self.record.failures:
            log.error("%s\n%s", outcome, outcome.output)
        if self.record.failures and not self.serving:
            raise Abort(f"{len(self.record.failures)} blocks failed; the site is as it was")

    def on_page_markdown(
        self, markdown: str, *, page: MkDocsPage, config: MkDocsConfig, files: Files
    ) -> str:
        # Here and not earlier: markdown-exec keeps one table of formatters for all builds.
        formatters["python"] = Renderer(self.record)  # type: ignore[assignment]
        found = self.pages.get(page.file.src_uri)
        return for_markdown_exec(markdown, found) if found else markdown

    def on_post_build(self, *, config: MkDocsConfig) -> None:
        ran = [outcome for outcome in self.record.outcomes if outcome.interpreter]
        names = dict.fromkeys(o.interpreter.tag for o in ran if o.interpreter)
        print(
            f"{len(self.pages)} pages, {len({str(o.block) for o in ran})} blocks run "
            f"{len(ran)} times on {len(names)} interpreters ({', '.join(names)})"
        )
