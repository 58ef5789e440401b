"""Thresholds from labelled images: which sets, all their comparisons, error rates by group, and what binds."""
