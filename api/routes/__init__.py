"""HTTP endpoints, one file a resource. They translate; decisions are made in `verify`."""
