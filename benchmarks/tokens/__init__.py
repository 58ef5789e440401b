"""What a redemption costs: bare in the store, through the service's own code, and over HTTP."""
