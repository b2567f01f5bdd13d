"""The desk: the back office of a utility that sells energy in advance (extra `desk`).

It keeps who buys, at which meter and under which agreement, and one ledger of transfers; its
workers carry out what it decided on the meters. Nothing outside of it imports it but
`meterctl.cli.desk`. Its rooms, from the lowest:

- `errors`: what the desk refuses, each with its code and exit code.
- `rules`: decisions on values. Pure: no database, no input or output, no clock.
- `model`: the tables.
- `store`: engine, transactions, ledger, migrations.
- `services`: the use cases. A service commits a decision and an order; it never touches a meter.
- `meters`: workers carry out orders; only `meters.gateway` uses the journal and a port.
"""
