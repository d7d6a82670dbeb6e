"""The C driver: its core against the Python card in one process, fuzzed, measured, booted."""
