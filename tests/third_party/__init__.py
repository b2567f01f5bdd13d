"""Clients of other projects read the meters: `make strangers`; `make test` has a part of them."""
