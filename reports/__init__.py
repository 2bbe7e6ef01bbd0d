"""Floor 3: records to tables and figures. Reads files only; no torch, no training code."""
