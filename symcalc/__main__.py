"""`python -m symcalc`: the command line."""

from symcalc.cli import main

main()
