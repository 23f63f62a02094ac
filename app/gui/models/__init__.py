"""The page that lists the library."""
