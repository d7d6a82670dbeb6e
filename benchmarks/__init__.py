"""Measurements whose results stand in docs/performance.md; each file is a command of its own."""
