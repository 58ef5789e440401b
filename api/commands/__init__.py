"""The commands of `heyan`, one file each."""
