"""Token carriers of the meter: the card slot."""
