"""Builds each part of a sink task from the properties of a connector."""
