"""The verbs of `bench.py` but for those that write reports, one file a verb."""
