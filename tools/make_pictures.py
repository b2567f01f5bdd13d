"""Make the pictures of docs/pictures from a desk that is served: `make pictures`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from meterctl.utility.story.scenes.founding import ACCOUNTANT, AUDITOR
from tests.browser import support
from tests.browser.support import Browser
from tests.browser.visits import DAY, sell, sign_in
from tests.support.desk_served import Served, furnished, serving

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "pictures"
WIDTH, HEIGHT = 1200, 750
MARGIN = 20
"""Room below a page, pixels."""
SALES = ("30.00", "100.00", "45.00")
PREVIEWED = "60.00"


def make_pictures(browser: Browser, served: Served) -> list[Path]:
    """Sell a few times, then write a picture of each page; return the files."""
    desk, written = served.desk, []
    numbers = [desk.agreements[home.unit] for home in desk.homes()]
    desk.office.start(AUDITOR, "check").communicate()
    sign_in(browser, served, desk.vendor)
    for number, amount in zip(numbers, SALES, strict=False):
        sell(browser, served, number, amount)
    written.append(_picture(browser, f"/counter/{numbers[-1]}/sale?amount={PREVIEWED}", "counter"))
    browser.driver.delete_all_cookies()
    sign_in(browser, served, ACCOUNTANT)
    written.append(_picture(browser, "/today", "today"))
    written.append(_picture(browser, f"/sheet/{DAY}", "sheet"))
    return written


def _picture(browser: Browser, path: str, name: str) -> Path:
    """Write a picture of a page."""
    browser.resize(WIDTH, HEIGHT)
    browser.go(path)
    body = "return Math.ceil(document.querySelector('main').getBoundingClientRect().bottom)"
    browser.resize(WIDTH, int(browser.driver.execute_script(body)) + MARGIN)
    target = FOLDER / f"desk-{name}.png"
    browser.screenshot(target)
    return target


def main() -> int:
    """Make them; the exit code is 1 where there is no browser."""
    if named := support.lacking():
        print(f"no pictures were made, this machine lacks {', '.join(named)}", file=sys.stderr)
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="desk-") as folder,
        tempfile.TemporaryDirectory(prefix="browser-") as profile,
        furnished(Path(folder)) as desk,
        serving(desk) as served,
        support.running_browser(Path(profile)) as browser,
    ):
        for path in make_pictures(browser.start(served.address), served):
            print(f"{path.relative_to(FOLDER.parents[1])}: {path.stat().st_size // 1024} KiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
