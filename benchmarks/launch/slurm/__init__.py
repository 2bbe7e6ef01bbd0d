"""On a SLURM cluster: the executor that submits, the job, what the scheduler says, settings, packing runs into jobs."""
