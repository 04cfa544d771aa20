"""Running a model for real, whole or only the part of it that a box needs. Frameworks are imported where they are used."""
