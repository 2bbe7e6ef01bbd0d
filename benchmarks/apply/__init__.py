"""What finished runs are good for: images of one's own, other data sets, corrupted images, wrong labels."""
