"""Dates as Java's SimpleDateFormat reads and writes them."""
