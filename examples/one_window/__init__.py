"""One window: a small registration service that lets people verify with heyan, as any registration service could.

It is a process of its own with an API key of its own. It knows heyan by its public HTTP API alone, through the typed
client of `examples.client`, and learns what happens by signed webhooks. `make example` starts both.
"""
