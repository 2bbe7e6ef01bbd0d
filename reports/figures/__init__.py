"""Figures from stored predictions: what a panel is of, one file a family of drawings, and making them all."""
