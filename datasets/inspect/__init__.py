"""Looking at a data set: checks and previews."""
