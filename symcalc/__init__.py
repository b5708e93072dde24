"""symcalc: from one definition to derivation, kernel, check, page and benchmark."""
