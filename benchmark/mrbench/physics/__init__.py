"""How MR data come about."""
