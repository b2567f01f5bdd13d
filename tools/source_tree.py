"""The files of this source tree, in a clone and in an unpacked source distribution."""

from __future__ import annotations

import subprocess
from pathlib import Path

from pathspec import GitIgnoreSpec

MADE_BY_THE_BUILD = "PKG-INFO"


def files_of(root: Path) -> list[str]:
    """Return the paths of all files under version control, sorted.

    Without a repository they are all files that .gitignore does not name.
    """
    if (root / ".git").exists():
        command = ["git", "ls-files"]
        listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
        return sorted(listed.stdout.splitlines())
    ignored = GitIgnoreSpec.from_lines((root / ".gitignore").read_text().splitlines())
    found = (path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    return sorted(
        path for path in found if path != MADE_BY_THE_BUILD and not ignored.match_file(path)
    )
