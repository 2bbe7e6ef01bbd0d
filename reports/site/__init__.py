"""The site: self-contained pages from the same records as the tables."""
