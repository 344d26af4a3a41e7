"""Classical synthesis methods."""
