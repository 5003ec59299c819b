"""The table of all properties, and how each of them is read."""
