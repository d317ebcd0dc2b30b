"""Command line: each file parses the arguments of a command and prints."""
