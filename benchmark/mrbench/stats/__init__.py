"""Takes rows, returns tables. Knows no file and no figure."""
