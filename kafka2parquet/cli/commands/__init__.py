"""The commands of the command line, each in a module with its name.

A module has `add_arguments` and `run`; `Command` in `parser.py` says what they get and return.
"""
