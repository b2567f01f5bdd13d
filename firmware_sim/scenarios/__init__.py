"""Scenarios: a meter, a timeline of commands and orders, and expectations."""
