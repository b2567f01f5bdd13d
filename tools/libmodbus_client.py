"""The client of libmodbus's own unit tests, built from the source package of the distribution.

The package is found by a list of sources of its own, made from the machine's; the machine's stays
as it is. The client's source stays as it is too: `libmodbus_addresses.c` beside the tests, which
takes the place of two functions at linking, sets where it connects.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tools import environments

PACKAGE = "libmodbus"
PROGRAM = "unit-test-client"
ADDRESSES = environments.ROOT / "tests" / "third_party" / "programs" / "libmodbus_addresses.c"
WRAPPED = ("modbus_new_tcp", "modbus_new_rtu")
NEEDED = {"apt-get": "apt", "dpkg-source": "dpkg-dev", "gcc": "gcc", "pkg-config": "pkg-config"}
SOURCES = Path("/etc/apt")


def make(folder: Path) -> str:
    """Build the client into a folder and return the version; raises EnvironmentFailedError."""
    for command, package in NEEDED.items():
        if shutil.which(command) is None:
            raise environments.EnvironmentFailedError(f"{command} is absent: install {package}")
    version = environments.call(["pkg-config", "--modversion", PACKAGE]).strip()
    (folder / PROGRAM).unlink(missing_ok=True)
    source = _unpacked(folder) / "tests"
    header = (source / "unit-test.h.in").read_text()
    for name in ("HAVE_INTTYPES_H", "HAVE_STDINT_H"):
        header = header.replace(f"@{name}@", "1")
    (source / "unit-test.h").write_text(header)
    flags = environments.call(["pkg-config", "--cflags", "--libs", PACKAGE]).split()
    files = [str(source / f"{PROGRAM}.c"), str(ADDRESSES), f"-I{source}"]
    wraps = [f"-Wl,--wrap={name}" for name in WRAPPED]
    environments.call(["gcc", "-w", *files, "-o", str(folder / PROGRAM), *flags, *wraps])
    return version


def _unpacked(folder: Path) -> Path:
    """Fetch and unpack the source package; returns its folder."""
    shutil.rmtree(folder, ignore_errors=True)
    for made in ("lists/partial", "cache/archives/partial", "sources"):
        (folder / made).mkdir(parents=True)
    wanted = [*SOURCES.glob("sources.list.d/*.sources"), *SOURCES.glob("**/*.list")]
    for number, path in enumerate(wanted):
        own = folder / "sources" / f"{number}{path.suffix}"
        own.write_text(of_sources(path.read_text(), path.suffix))
    options = {
        "Dir::Etc::SourceList": "/dev/null",
        "Dir::Etc::SourceParts": folder / "sources",
        "Dir::State::Lists": folder / "lists",
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "root",
    }
    apt = ["apt-get", "-qq", *(word for key in options for word in ("-o", f"{key}={options[key]}"))]
    environments.call([*apt, "update"])
    package = folder / "package"
    package.mkdir()
    environments.call(["sh", "-c", 'cd "$0" && exec "$@"', str(package), *apt, "source", PACKAGE])
    (unpacked,) = (path for path in package.iterdir() if path.is_dir())
    return unpacked


def of_sources(text: str, suffix: str) -> str:
    """Return a list of binary packages, in either format of apt, as one of source packages."""
    lines = text.splitlines()
    if suffix == ".sources":
        return "\n".join("Types: deb-src" if "Types:" in line else line for line in lines)
    return "\n".join(f"deb-src {line[4:]}" for line in lines if line.startswith("deb "))


if __name__ == "__main__":
    print(make(Path(sys.argv[1])))
