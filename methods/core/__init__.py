"""What methods are made of: the interface, settings, backbones, heads, losses, shared parts."""
