"""One absl main a command: thin, no logic of its own."""
