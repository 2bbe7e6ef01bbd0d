"""Environment variables that the processes of runs are started with."""

from __future__ import annotations

# glibc hands freed memory back to the kernel after every step otherwise; the page faults cost up to 40 % of a CPU step.
MALLOC = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "2147483647",
    "MALLOC_TOP_PAD_": "268435456",
}
