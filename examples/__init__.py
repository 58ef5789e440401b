"""How a registration service uses heyan. `client` is one file that needs httpx alone: copy it."""
