"""Drawn expressions of known ambiguity, made on the spot."""
