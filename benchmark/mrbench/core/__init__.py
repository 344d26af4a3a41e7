"""The nouns that every other room speaks in. Imports nothing of the rest of mrbench."""
