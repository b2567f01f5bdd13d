"""Faults put into the product on purpose: each must be found by a test."""
