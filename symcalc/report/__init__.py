"""Pages that a person reads: definition, gradient, how it comes about, what proves it.

Nothing is imported here: `symcalc` imports this room early, for the function of its name.
"""
