"""The archive: customers, supply points, ports, meters and where they are installed."""
