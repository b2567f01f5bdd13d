"""Cost of the product and of its peers, measured in one run on one machine (DESIGN.md 6).

    python -m benchmarks [--quick] [--only NAME]... [--json]

Machines are noisy, so a peer and our program are measured alternately, round by round, and the
median of the rounds' ratios is compared. No test depends on the result.
"""
