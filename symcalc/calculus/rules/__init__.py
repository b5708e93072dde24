"""Rules of simplification, one file a subject; `simplify` applies them in a fixed order."""
