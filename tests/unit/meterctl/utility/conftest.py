"""A founded desk for the tests of the desk's rooms."""

from tests.support.compiled_statements import statements_compiled_once
from tests.support.desk_founded import desk, postgresql_desk, sqlite_desk
from tests.support.memory_folders import tmp_path

__all__ = ["desk", "postgresql_desk", "sqlite_desk", "statements_compiled_once", "tmp_path"]
