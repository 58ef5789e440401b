"""Trains the passive PAD network: from unlabelled faces, rendered attacks and a teacher. See docs/pad-model-card.md.

Shares no rendering code with `benchmarks.phone`: what the network learns from must not be what it is measured on.
"""
