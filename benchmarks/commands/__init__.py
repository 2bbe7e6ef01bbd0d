"""What stands behind the verbs of `bench.py`: flags, sessions of runs, progress, status, lists, data."""
