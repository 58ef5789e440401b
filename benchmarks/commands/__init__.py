"""The commands of `heyan-bench`, one a file."""
