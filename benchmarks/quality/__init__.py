"""Does quality tell beforehand which comparisons fail? Error-versus-discard curves of every quality component."""
