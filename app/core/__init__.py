"""Values, errors, units, paths and settings; standard library only."""
