"""Everyday programs, each with the recipe that a new user would write.

cases.py    the programs
made.py     files of theirs that no text can be
measure.py  building, booting and asking one of them
"""

from lab.programs.cases import CASES, Case
from lab.programs.measure import measured

__all__ = ["CASES", "Case", "measured"]
