"""The host's side: reads meters, tops them up exactly once, and proves what became of it."""
