"""Tables and documents as typed values, before any format."""
