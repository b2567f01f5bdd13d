"""The printed agreement with its user notice (购电协议、须知): an A4 sheet a language."""
