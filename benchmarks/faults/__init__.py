"""What happens to a service that is hurt while people use it: bounded, on loopback, and by itself."""
