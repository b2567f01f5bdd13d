"""Queries by subject: what people name by numbers and codes, found as rows."""
