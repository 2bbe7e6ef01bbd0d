"""How fast a run is, and how fast it could be: `python -m benchmarks.speed` (docs/performance.md)."""
