"""Attacks and faults on cards, wires and journals, each as a test; docs/card.md has a table."""
