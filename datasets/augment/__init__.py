"""Augmentation of whole batches on the device: specs, operations, pipeline."""
