"""Parts of ImageNet."""
