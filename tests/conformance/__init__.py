"""The wires seen from outside: raw bytes and other people's masters against a live `meter-sim
run`.
"""

import pytest

pytest.register_assert_rewrite("tests.conformance.wire", "tests.conformance.running")
