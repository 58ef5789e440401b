"""Many phones at once on one service, with pictures that were rendered before: what a machine carries.

The pictures answer every cue that can be drawn; which ones are sent follows from what the service asks.
"""
