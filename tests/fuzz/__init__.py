"""Fuzz: any bytes into any server, codec and socket give a value, silence or a protocol error, and
move no credit.

targets.py      every target by name                    python -m tests.fuzz [--seconds N]
source.py       how fuzz bytes become choices           corpus/<target>/   inputs that reach
something of their own
seeds.py        inputs to begin with                    corpus/<target>/crash-…   inputs that broke
something
"""
