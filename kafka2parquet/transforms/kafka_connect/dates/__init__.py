"""Reads and writes dates as Java's SimpleDateFormat does."""
