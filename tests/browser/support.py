"""A headless Chromium, as a person uses it: it types, presses keys, clicks, goes back, prints."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.support.recording_proxy import RecordingProxy, recording_proxy
from tools import axe_core

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
"""Where Debian's packages chromium and chromium-driver put them."""
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-domain-reliability",
    "--disable-features=AutofillServerCommunication,MediaRouter,NetworkTimeServiceQuerying,"
    "OptimizationHints,PreconnectToSearch,Translate",
    "--homepage=about:blank",
    "--gaia-url=http://127.0.0.1:9",
    "--google-base-url=http://127.0.0.1:9",
    "--component-updater=url-source=http://127.0.0.1:9",
    "--force-device-scale-factor=1",
    "--font-render-hinting=none",
    "--hide-scrollbars",
)
"""Without these the browser itself asks for hosts of its makers at every start."""
BROWSERS_OWN = frozenset(
    {
        "accounts.google.com",
        "clients2.google.com",
        "content-autofill.googleapis.com",
        "start.duckduckgo.com",
        "update.googleapis.com",
    }
)
"""Hosts that Chromium asks for by itself, whatever page it shows; the proxy refuses them too."""
PREFERENCES = {"search.suggest_enabled": False, "net.network_prediction_options": 2}
"""What Chromium does not ask the maker of its search engine for."""
SOON_S = 10
A4_INCHES = (8.27, 11.69)
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
"""Tags of the rules of axe-core that a page is held to."""
_PAGE_OBJECT = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")


def lacking() -> list[str]:
    """Return the names of the parts that this machine lacks; empty if the tests can run."""
    named = [path for path in (CHROMIUM, DRIVER) if not shutil.which(path)]
    if find_spec("selenium") is None:
        named.append("selenium (extra `test`)")
    return named


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser with one window.

    Attributes:
        address: of the desk; paths are below it.
        proxy: what every request of the browser passes.
    """

    driver: Any
    address: str
    proxy: RecordingProxy

    def start(self, address: str) -> Browser:
        """Return the browser as one that never was at a desk: no cookies, a page of no site."""
        self.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
        self.driver.get("about:blank")
        self.messages()
        return Browser(self.driver, address, self.proxy)

    def go(self, path: str) -> None:
        """Open a page, and wait until it is loaded."""
        self.driver.get(f"{self.address}{path}")

    def fill(self, name: str, text: str) -> None:
        """Type a text into the field of a name, in place of what is there."""
        field = self.one(f"[name='{name}']")
        field.clear()
        field.send_keys(text)

    def choose(self, name: str, value: str) -> None:
        """Choose a value of a list, or of radio buttons."""
        chosen = f"select[name='{name}'] option[value='{value}'], [name='{name}'][value='{value}']"
        self.one(chosen).click()

    def press(self, *keys: str) -> None:
        """Press keys one after the other where the focus is: names as `ENTER`, `F2`, or a text."""
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys

        chain = ActionChains(self.driver, duration=0)
        for key in keys:
            chain.send_keys(getattr(Keys, key, key))
        chain.perform()

    def click(self, selector: str) -> None:
        """Click an element, and wait for the page to which it leads."""
        self.one(selector).click()

    def double_click(self, selector: str) -> None:
        """Click an element twice, as fast as a mouse does."""
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver, duration=0).double_click(self.one(selector)).perform()

    def back(self) -> None:
        """Press the button Back."""
        self.driver.back()

    def reload(self) -> None:
        """Press the button Reload; what asks whether a form shall be sent again is accepted."""
        self.driver.execute_cdp_cmd("Page.reload", {})

    def all(self, selector: str) -> list[Any]:
        """Return the elements of a CSS selector."""
        return list(self.driver.find_elements("css selector", selector))

    def one(self, selector: str) -> Any:
        """Return the first element of a CSS selector that is shown; wait until one is."""
        from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
        from selenium.webdriver.support.wait import WebDriverWait

        def shown(_: Any) -> Any:
            return next((each for each in self.all(selector) if each.is_displayed()), None)

        waiting = WebDriverWait(self.driver, SOON_S, 0.05, [StaleElementReferenceException])
        try:
            return waiting.until(shown)
        except TimeoutException:
            raise AssertionError(f"{self.url} shows no {selector}:\n{self.text}") from None

    def wait_for(self, text: str, seconds: int = 20) -> None:
        """Wait until the page shows a text."""
        from selenium.common.exceptions import TimeoutException
        from selenium.webdriver.support.wait import WebDriverWait

        try:
            WebDriverWait(self.driver, seconds, 0.05).until(lambda _: text in self.text)
        except TimeoutException:
            raise AssertionError(f"{self.url} never shows {text!r}:\n{self.text}") from None

    @property
    def url(self) -> str:
        """The address of the page, without that of the desk."""
        address: str = self.driver.current_url
        return address.removeprefix(self.address)

    @property
    def source(self) -> str:
        """The page in HTML, as it stands now."""
        source: str = self.driver.page_source
        return source

    @property
    def text(self) -> str:
        """What the page shows."""
        return str(self.driver.execute_script("return document.body?.innerText ?? ''"))

    def focused(self) -> str:
        """Return the name of the field that has the focus, empty if none has."""
        return str(self.driver.switch_to.active_element.get_attribute("name") or "")

    def links(self) -> list[str]:
        """Return the targets of all links of the page, without the address of the desk."""
        script = "return [...document.querySelectorAll('a[href]')].map(a => a.href)"
        return [link.removeprefix(self.address) for link in self.driver.execute_script(script)]

    def messages(self) -> list[str]:
        """Return what the browser complained of since the last call, refused contents too."""
        return [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if entry["level"] == "SEVERE" and "status of 4" not in entry["message"]
        ]

    def requests_elsewhere(self) -> list[str]:
        """Return what pages asked other hosts than loopback for; all of it was refused."""
        asked = self.proxy.elsewhere()
        return [target for host, target in asked if host not in BROWSERS_OWN]

    def resize(self, width: int, height: int = 900) -> None:
        """Give the page a width, CSS pixels: a phone has 360."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than the window."""
        script = "const e = document.documentElement; return e.scrollWidth - e.clientWidth"
        return int(self.driver.execute_script(script))

    def screenshot(self, path: Path) -> None:
        """Write a picture of the whole page (PNG)."""
        options = {"captureBeyondViewport": True, "format": "png"}
        taken = self.driver.execute_cdp_cmd("Page.captureScreenshot", options)
        path.write_bytes(base64.b64decode(taken["data"]))

    def pdf(self) -> bytes:
        """Return the page as it is printed on A4."""
        width, height = A4_INCHES
        options = {"paperWidth": width, "paperHeight": height, "preferCSSPageSize": True}
        printed = self.driver.execute_cdp_cmd("Page.printToPDF", options)
        return base64.b64decode(printed["data"])

    def printed_pages(self) -> int:
        """Return how many sheets the page takes when it is printed."""
        return len(_PAGE_OBJECT.findall(self.pdf()))

    def axe(self) -> list[str]:
        """Return what axe-core finds on the page: rule, element, reason; empty if nothing."""
        self.driver.execute_script(axe_core.SCRIPT.read_text())
        options = json.dumps({"runOnly": {"type": "tag", "values": RULES}})
        found = self.driver.execute_async_script(
            f"const done = arguments[0]; axe.run(document, {options}).then(done)"
        )
        return [
            f"{rule['id']}: {node['html']}: {node['failureSummary']}"
            for rule in found["violations"]
            for node in rule["nodes"]
        ]


@contextmanager
def running_browser(folder: Path, language: str = "en-US") -> Iterator[Browser]:
    """Run a browser with a profile of its own in a folder; call it where nothing is `lacking`."""
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    with recording_proxy() as proxy:
        options = ChromeOptions()
        options.binary_location = CHROMIUM
        for flag in (
            *FLAGS,
            f"--user-data-dir={folder / 'profile'}",
            f"--lang={language}",
            f"--proxy-server=http://{proxy.address}",
            "--proxy-bypass-list=<-loopback>",  # loopback too passes the proxy
        ):
            options.add_argument(flag)
        options.add_experimental_option("prefs", PREFERENCES | {"intl.accept_languages": language})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = Chrome(options, Service(DRIVER))
        try:
            driver.set_page_load_timeout(60)
            driver.set_script_timeout(60)
            yield Browser(driver, "", proxy)
        finally:
            driver.quit()
