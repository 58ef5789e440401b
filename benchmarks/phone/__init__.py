"""The simulated phone: a head rendered from one photo that follows the service's cues.

A test instrument, and at the same time the best injection attack there is: nothing in a browser proves that frames
come from a camera. Detectors are never tuned on what only this renderer does.
"""
