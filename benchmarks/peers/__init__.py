"""Other systems behind one door: two photos' bytes in, a similarity out. Each is optional."""
