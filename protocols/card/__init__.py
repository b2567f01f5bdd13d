"""The prepaid card: APDUs, files, keys, secure messaging, both ends of the contacts, and no I/O
(docs/card.md).
"""
