"""Statements that make a table, or a view, of a topic's folders: `kafka2parquet ddl`.

`layout` finds out which columns and folders there are, `column_types` translates types, `projection` says which folders can
exist (for Athena), and `statements` writes the text.
"""
