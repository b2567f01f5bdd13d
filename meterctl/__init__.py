"""The host side: reads meters, tops them up exactly once, and proves the outcome."""
