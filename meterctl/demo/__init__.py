"""The demo: a household buys credit on a card, consumes it, and buys again.

`story.py` plays it; `household.py` holds the agreement, `processes.py` runs the meter,
`watched_meter.py` follows it over the wire, `vending_point.py` sells on the card, `books.py` proves
the result.
"""
