"""Scenarios: a meter, a timeline of what happens to it, and what must then be true."""
