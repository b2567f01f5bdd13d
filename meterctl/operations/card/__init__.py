"""Operations on a card at the vending point.

`presented.py` talks to a card and verifies its files. A `Case` (`case.py`) is such a card with the
journal and, if there is one, the port to its meter; every operation takes a case. It is compared
with the journal (`comparison.py`), the rules of `rules.py` are checked, the meter's state is asked
on the port (`port.py`) or taken from the last proof (`last_proof.py`), and a `Planned` operation
(`planning.py`) is carried out after the user's yes.
"""
