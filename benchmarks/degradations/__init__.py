"""ID photos as they come: what grey copies, small prints, hard compression and scanners leave of a portrait."""
