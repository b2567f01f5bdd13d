"""Fuzz tests: any bytes give a value, silence or a protocol error, and move no credit.

targets.py   every target by name              python -m tests.fuzz [--seconds N]
source.py    choices from the fuzzer's bytes   corpus/<target>/          inputs with new coverage
seeds.py     initial inputs                    corpus/<target>/crash-…   inputs that failed
"""
