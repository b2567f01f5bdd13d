"""Run the tests on every Python that pyproject.toml names and this machine has: `make pythons`.

The end-to-end tests are among them; not those that take a whole machine (kill, pcsc).
"""

from __future__ import annotations

import sys
import tomllib

from tools import environments

PREFIX = "Programming Language :: Python :: "
TESTS = ("unit", "property", "attacks", "end_to_end")


def versions() -> list[str]:
    """Return the versions of Python that the classifiers name."""
    project = tomllib.loads((environments.ROOT / "pyproject.toml").read_text())["project"]
    return [each.removeprefix(PREFIX) for each in project["classifiers"] if each.startswith(PREFIX)]


def main() -> int:
    """Test each version that is here; fail if one fails, or if there was none."""
    folders = sys.argv[1:] or [f"tests/{name}" for name in TESTS]
    tested, failed = 0, 0
    for version, interpreter in environments.pythons(versions()):
        if interpreter is None:
            print(f"Python {version}: not on this machine", flush=True)
            continue
        tested += 1
        try:
            own = environments.make(
                environments.CACHE / f"python-{version}",
                interpreter,
                "-c",
                "constraints.txt",
                "-e",
                ".[test]",
            )
            last = environments.test(own, "-n", "2", *folders)
            print(f"Python {version}: {last}", flush=True)
        except environments.EnvironmentFailedError as error:
            failed += 1
            print(f"Python {version}: {error}", flush=True)
    return 1 if failed or not tested else 0


if __name__ == "__main__":
    sys.exit(main())
