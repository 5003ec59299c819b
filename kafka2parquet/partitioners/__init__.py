"""Partitioners: the folder (encoded partition) and the time of each row, computed on whole columns."""
