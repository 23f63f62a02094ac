"""One small module for each command; prints what actions return."""
