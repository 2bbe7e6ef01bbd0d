"""Named seeds: one stream a purpose, so that a method that draws more numbers does not shift another's noise."""

from __future__ import annotations

import hashlib


def seed_for(run_seed: int, *purpose: str | int) -> int:
    """A 63-bit seed from the run's seed and a purpose such as `("order", epoch)` or `("noise", "fer2013")`."""
    text = "/".join(str(part) for part in (run_seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
