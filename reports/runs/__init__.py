"""From run folders to one frame, and the selections that tables are made of."""
