"""Parses and formats dates as Java's SimpleDateFormat does."""
