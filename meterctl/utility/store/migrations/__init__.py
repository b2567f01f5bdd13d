"""Steps from one layout of the desk's tables to the next, run by `store.upgrading`."""
