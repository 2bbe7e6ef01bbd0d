"""Floor 2: what to run, one run, its record and store, and launching many."""
