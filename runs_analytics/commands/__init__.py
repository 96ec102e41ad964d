"""One function per command of the command line, run in its own process or by the server on its behalf."""
