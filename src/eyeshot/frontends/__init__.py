"""Frontends: each turns one framework's models into a Graph; no analysis is imported here."""
