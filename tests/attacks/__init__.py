"""The attacks and faults on the card, each as a test: docs/card.md has the table."""
