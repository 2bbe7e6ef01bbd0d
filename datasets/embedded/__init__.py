"""Data sets that need nothing on disk: scanned digits, drawn faces."""
