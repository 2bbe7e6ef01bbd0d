"""The article, as data: its numbers, tables and claims."""
