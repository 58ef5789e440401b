"""The operator console at `/ops`: server-rendered pages over what `verify.oversight` reads."""
