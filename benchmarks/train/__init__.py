"""One run, from its spec to its record: data, method, loop, evaluation, checkpoints."""
