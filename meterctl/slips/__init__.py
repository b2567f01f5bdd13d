"""Slips: what a printed receipt is made of, as text for a printer and as a page. Pure."""
