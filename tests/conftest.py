"""Tests run as beside no terminal: the workers of a parallel run set COLUMNS for their own use."""

from __future__ import annotations

import os

os.environ.pop("COLUMNS", None)
