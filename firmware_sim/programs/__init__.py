"""The commands of meter-sim beyond parsing: run, simulate, scenarios, plot."""
