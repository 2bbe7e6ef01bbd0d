"""Image files: archives, decoding, resizing, data sets made of them."""
