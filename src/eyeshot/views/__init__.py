"""Fields made into things to look at: tables for a terminal, pictures."""
