"""`python -m symcalc`: the command line."""

from symcalc.cli import main

if __name__ == "__main__":  # processes that `parallel` starts read this file too
    main()
