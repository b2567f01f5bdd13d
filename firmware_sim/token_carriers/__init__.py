"""What carries credit to the meter by hand: the card slot."""
