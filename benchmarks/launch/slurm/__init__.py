"""On a SLURM cluster: the executor that submits, the job, settings, packing runs into jobs."""
