"""The use cases of the desk, each one transaction: rights, rules, rows, audit."""
