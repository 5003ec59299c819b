"""Reads configurations in the forms in which people keep them: JSON, YAML, TOML, Java properties, and wrappers of other tools.

`recognition` finds the notation, a module for each notation reads it, and `connectors` finds the connectors in the result.
"""
