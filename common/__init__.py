"""Floor 0: what every other folder needs and none of them owns (errors, registries, atomic files)."""
