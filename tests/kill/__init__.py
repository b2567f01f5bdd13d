"""Processes that die, and ground that gives way under them: no credit is lost or doubled."""
