"""The runs folder: records, who holds a run, heartbeats, where a number comes from. Torch-free."""
