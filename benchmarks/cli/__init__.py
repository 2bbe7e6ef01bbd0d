"""Behind the verbs of `bench.py`: options, sessions of runs, progress, status, lists, data."""
