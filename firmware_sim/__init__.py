"""The simulated prepaid meter: metering, money and switch in whole numbers; time is an argument."""
