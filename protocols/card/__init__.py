"""The prepaid card (docs/card.md): APDUs, files, keys, secure messaging, both ends; no I/O."""
