"""What the product costs, beside its peers, measured in one run on one machine (DESIGN.md 6).

    python -m benchmarks [--quick] [--only NAME]... [--json]

Machines are noisy, so a peer is measured in turn with ours, round by round, and what is compared is
the median of the rounds' ratios. Nothing here passes or fails a test.
"""
