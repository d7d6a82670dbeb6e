"""Whether the tests notice when the code is wrong: `python -m tools.mutants SEED`.

    sites.py       where a module can be changed, and how
    equivalent.py  the changes that no caller can see
    covered.py     which tests run which line, measured once for a state of the tree
    judge.py       the tests of one mutant, in a process of its own that imports the changed module

A mutant exists in memory only; no file changes. The same seed draws the same mutants.
"""
