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
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page as MkDocsPage

from gilnotes.site import offline
from gilnotes.site.blocks import for_markdown_exec
from gilnotes.site.checked import Checked, check
from gilnotes.site.outcomes import Outcome, Record
from gilnotes.site.progress import Progress
from gilnotes.site.publishing import Published, Site, files, run_it_yourself
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
        self.pages: list[MkDocsPage] = []
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
        fences.setdefault("custom_fences", []).extend(
            {"name": name, "class": name, "format": write}
            for name, write in {
                "claims": self._claims,
                "evidence": self._evidence,
                "figure": self._figure,
            }.items()
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

    def on_nav(self, nav: Navigation, *, config: MkDocsConfig, files: Files) -> Navigation:
        pages = [file.page for file in files.documentation_pages() if file.page]
        self.pages = [*nav.pages, *(page for page in pages if page not in nav.pages)]
        return nav

    def on_page_markdown(
        self, markdown: str, *, page: MkDocsPage, config: MkDocsConfig, files: Files
    ) -> str:
        # Here and not earlier: markdown-exec keeps one table of formatters for all builds.
        formatters["python"] = self.renderer  # type: ignore[assignment]
        self.renderer.url = page.url
        found = self.checked.pages.get(Path(page.file.abs_src_path or ""))
        if not found:
            return markdown
        last = run_it_yourself(page.file.dest_uri) if found.blocks else ""
        return _for_markdown_exec(markdown, found) + last

    def on_post_build(self, *, config: MkDocsConfig) -> None:
        site = Site(config.site_name, config.site_description or "", config.site_url or "")
        for name, content in files(site, self._published(), self.checked.record).items():
            path = Path(config.site_dir, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        if not self.serving:  # for readers; who writes wants to see each edit
            worker = offline.service_worker(Path(config.site_dir))
            Path(config.site_dir, offline.NAME).write_text(worker, "utf-8")
        if self.remembered:
            self.remembered.prepare()

    def _claims(self, *_: object, **__: object) -> str:
        return self.renderer.claims()

    def _evidence(self, source: str, *_: object, **__: object) -> str:
        return self.renderer.evidence(source.strip())

    def _figure(self, source: str, *_: object, **__: object) -> str:
        return self.renderer.figure(source.strip())

    def _published(self) -> list[Published]:
        """The pages of the site, in the order of its navigation."""
        sources = [(page, Path(page.file.abs_src_path or "")) for page in self.pages]
        return [
            Published(
                str(page.title),
                str(page.meta.get("description", "")),
                path.read_text("utf-8-sig"),
                self.checked.pages[path],
                page.file.dest_uri,
            )
            for page, path in sources
            if path in self.checked.pages
        ]
