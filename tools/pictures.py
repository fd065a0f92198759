"""Take the README's pictures of the built site (`make site` first), with a browser on PATH."""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main() -> None:
    """Write `pictures/`: the run of the notes and the scheduler, as a reader sees them."""
    browser_path = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 860}, device_scale_factor=1)
        for name, place in (
            ("race", "race.html#the-run-of-the-notes"),
            ("scheduler", "lab.html#lose-an-update"),
        ):
            page.goto((ROOT / "site").as_uri() + f"/{place}")
            page.wait_for_load_state("networkidle")
            page.screenshot(path=ROOT / "pictures" / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
