"""The door to MkDocs: its events in, calls to the modules beside this one, nothing else."""

from __future__ import annotations

import logging
import sys
from functools import lru_cache
from pathlib import Path
from typing import Literal

from markdown_exec import formatters
from mkdocs.config.base import Config
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import Abort, PluginError
from mkdocs.plugins import BasePlugin, get_plugin_logger
from mkdocs.structure.files import Files, get_files
from mkdocs.structure.pages import Page as MkDocsPage

from gilnotes.site.blocks import for_markdown_exec
from gilnotes.site.checked import Checked, check
from gilnotes.site.outcomes import Outcome, Record
from gilnotes.site.progress import Progress
from gilnotes.site.render import Renderer
from gilnotes.site.runner import Remembered

log = get_plugin_logger("gilnotes")

# Under `mkdocs serve`, all pages but the edited one are the same at each rebuild.
_for_markdown_exec = lru_cache(maxsize=1024)(for_markdown_exec)


class Settings(Config):  # type: ignore[no-untyped-call]
    """The options of the plugin in mkdocs.yml: none."""


class GilnotesPlugin(BasePlugin[Settings]):  # type: ignore[no-untyped-call]
    """Runs every block of every page before the old site is touched; renders from the outcomes."""

    def __init__(self) -> None:
        self.serving = False
        self.checked = Checked({}, Record(()))
        self.remembered: Remembered | None = None
        self.renderer = Renderer(self.checked.record)

    def on_startup(self, *, command: Literal["build", "gh-deploy", "serve"], dirty: bool) -> None:
        # MkDocs keeps one plugin for all rebuilds of a `serve`, because it has this method.
        self.serving = command == "serve"
        self.remembered = Remembered() if self.serving else None

    def on_shutdown(self) -> None:
        if self.remembered:
            self.remembered.spare.close()

    def on_config(self, config: MkDocsConfig) -> MkDocsConfig:
        if "markdown-exec" not in config.plugins:
            raise PluginError("the gilnotes plugin needs the plugin markdown-exec beside it")
        fences = config.mdx_configs.setdefault("pymdownx.superfences", {})
        fences.setdefault("custom_fences", []).append(
            {"name": "claims", "class": "claims", "format": self._claims}
        )
        return config

    def on_pre_build(self, *, config: MkDocsConfig) -> None:
        files = get_files(config).documentation_pages()
        paths = [Path(file.abs_src_path) for file in files if file.abs_src_path]
        try:
            self.checked = check(
                Path(config.config_file_path).parent,
                paths,
                Progress(sys.stdout if log.isEnabledFor(logging.INFO) else None),
                keep_going=self.serving,
                remembered=self.remembered,
            )
        except (LookupError, ValueError, OSError) as error:
            raise Abort(str(error)) from None
        urls = {
            self.checked.pages[path].file: file.url for path, file in zip(paths, files, strict=True)
        }
        self.renderer = Renderer(self.checked.record, urls)
        for broken in self.checked.broken:
            log.warning("left out: %s (%s): %s", broken.path, broken.origin, broken.reason)
        for wrong in self.checked.wrong:
            output = f"\n{wrong.output}" if isinstance(wrong, Outcome) else ""
            log.error("%s%s", wrong, output)
        if self.checked.wrong and not self.serving:
            raise Abort(f"{len(self.checked.wrong)} to mend; the site is as it was")

    def on_page_markdown(
        self, markdown: str, *, page: MkDocsPage, config: MkDocsConfig, files: Files
    ) -> str:
        # Here and not earlier: markdown-exec keeps one table of formatters for all builds.
        formatters["python"] = self.renderer  # type: ignore[assignment]
        self.renderer.url = page.url
        found = self.checked.pages.get(Path(page.file.abs_src_path or ""))
        return _for_markdown_exec(markdown, found) if found else markdown

    def on_post_build(self, *, config: MkDocsConfig) -> None:
        site = Path(config.site_dir)
        (site / "outcomes.json").write_text(self.checked.record.to_json(), "utf-8")
        schema = Path(__file__).with_name("outcomes.schema.json")
        (site / schema.name).write_bytes(schema.read_bytes())
        if self.remembered:
            self.remembered.prepare()

    def _claims(self, *_: object, **__: object) -> str:
        return self.renderer.claims()
