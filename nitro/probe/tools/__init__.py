"""One module for each measuring tool.

A module here that defines a `Probe` adds it to `nitro deploy --probe`: nothing else names it.
"""
