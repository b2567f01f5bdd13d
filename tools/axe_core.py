"""Install axe-core, the accessibility rules that the tests load into the desk's pages.

It is installed from npm into .cache, in one version; nothing of it is in the repository. Where it
cannot be installed it is named, and its tests are skipped.
"""

from __future__ import annotations

import shutil

from tools import environments

VERSION = "4.14.1"
FOLDER = environments.CACHE / "axe-core"
SCRIPT = FOLDER / f"axe-core-{VERSION}.js"


def install() -> None:
    """Write the script, if it is not there yet; raises EnvironmentFailedError."""
    if SCRIPT.exists():
        return
    if not shutil.which("npm"):
        raise environments.EnvironmentFailedError("npm is not on this machine")
    FOLDER.mkdir(parents=True, exist_ok=True)
    quiet = ("--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error")
    npm = ("npm", "--prefix", str(FOLDER), "install", *quiet)
    environments.call([*npm, f"axe-core@{VERSION}"])
    package = FOLDER / "node_modules" / "axe-core"
    shutil.copyfile(package / "axe.min.js", SCRIPT)
    shutil.rmtree(FOLDER / "node_modules")


def main() -> None:
    """Install it, or say that it is not installed."""
    try:
        install()
    except environments.EnvironmentFailedError as error:
        reason = str(error).splitlines()[-1]
        print(f"not installed: axe-core ({reason}) - its tests will be skipped")


if __name__ == "__main__":
    main()
