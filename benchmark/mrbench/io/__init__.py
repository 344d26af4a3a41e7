"""Files of the field, and how a file gets to disk whole or not at all."""
