"""Sheets that two persons sign (日结单): of a date and of a shift, as figures, text and a page."""
