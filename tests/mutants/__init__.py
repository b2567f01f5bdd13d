"""Faults put into the product on purpose: a test that does not find them proves nothing."""
