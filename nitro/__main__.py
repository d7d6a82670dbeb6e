"""`python -m nitro`: the command line without the installed script."""

from nitro.cli import main

main()
