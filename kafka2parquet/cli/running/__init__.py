"""What `run` and `demo` show and do while a sink runs: the live view, the HTTP server, and runs that end."""
