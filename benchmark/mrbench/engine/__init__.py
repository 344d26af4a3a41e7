"""Plan, predict, score, rows."""
