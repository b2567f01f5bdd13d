"""The desk beside plain dictionaries: seeds of a counter, meters, a lying line, crashes."""
