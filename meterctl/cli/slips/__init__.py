"""Printed receipts: their rows, their words in English and Chinese, as text and as a page."""
