"""People and scans that are made."""
