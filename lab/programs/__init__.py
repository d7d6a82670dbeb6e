"""Everyday programs, each with the recipe that a new user would write.

case.py      what a program is asked, and what it is to answer
servers.py   servers of Debian's
scripts.py   scripts, and runtimes with a framework
compiled.py  programs by their paths, compiled from a few lines
images.py    container images
made.py      an environment and an archive, which no text can be
measure.py   building, booting and asking one of them
"""

from lab.programs.case import Case
from lab.programs.cases import CASES
from lab.programs.measure import measured

__all__ = ["CASES", "Case", "measured"]
