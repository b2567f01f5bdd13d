"""Acceptance: who authenticates an instruction, its admission, execution and receipt."""
