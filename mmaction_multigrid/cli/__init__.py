"""The command line: one file a command, which takes its arguments, calls a room and prints what comes back."""
