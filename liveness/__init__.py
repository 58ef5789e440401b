"""Did a live person answer this challenge, now?

Everything here is a pure function or a frozen value: frames come in as observations (scalars), time as seconds on
the server's monotonic clock, randomness as an argument.
"""
