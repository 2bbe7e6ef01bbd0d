"""Many runs: on this machine's devices or on a SLURM cluster, and where they all stand."""
