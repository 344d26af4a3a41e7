"""Classical generation methods."""
