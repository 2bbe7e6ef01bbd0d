"""Facial expressions: RAF-DB, AffectNet, FER2013."""
