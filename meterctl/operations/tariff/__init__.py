"""The tariff of a meter: a file of it, both sets as the meter shows them, and how it is changed.

`file.py` reads a tariff file, `warnings.py` finds what is allowed and suspicious. `sets.py` reads
the current and the pending set; `values.py` names their values, for tables, JSON and TOML.
`differences.py` says what a file would change, `resulting_sets.py` why a meter would refuse it, and
`setting.py` sends it and compares what is read back.
"""
