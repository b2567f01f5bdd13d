"""What the meter and its host must agree on: values, names, messages and frames; no I/O, no clock,
no randomness.
"""
