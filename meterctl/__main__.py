"""`python -m meterctl`."""

from meterctl.cli import main

main()
