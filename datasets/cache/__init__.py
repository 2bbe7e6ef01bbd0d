"""Decoded images kept as memory maps beside the data, by content."""
