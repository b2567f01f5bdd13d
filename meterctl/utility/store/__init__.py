"""Where the desk keeps its rows: engine, transactions, ledger, migrations."""
