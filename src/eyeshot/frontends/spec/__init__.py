"""The way in for paper and pencil: a network in one line of text, or in YAML (docs/spec.md)."""
