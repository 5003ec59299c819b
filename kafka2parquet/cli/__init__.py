"""The command line.

`main` parses the arguments with the parser of `parser`, which has the table of commands. `execute` runs the command: it sets up
the log, loads the configuration and turns errors into exit codes. Each command has a module with its name in `commands/`.
Everything that is printed goes through `terminal`, and the log through `logs`.
"""
