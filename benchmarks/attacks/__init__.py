"""Attacks by name: who tries to pass for somebody else, and how. They answer cues like any actor before the phone.

Shares no rendering code with the rendered head of `benchmarks.phone`, except where an attack shows a recording of that
very head or a living impostor, and none with what the PAD network was trained on.
"""
