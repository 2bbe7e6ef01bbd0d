"""Augmentation of whole batches on their device. `operations` is typed data without torch, the rest computes."""
