"""Conformance on the wire: raw bytes and third-party masters against a live `meter-sim run`."""

import pytest

pytest.register_assert_rewrite("tests.conformance.wire", "tests.conformance.running")
