"""Classical reconstruction."""
