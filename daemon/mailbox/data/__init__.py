"""Lists of names that the code reads; each line one entry."""
