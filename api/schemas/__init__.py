"""What goes over the wire: pydantic models with examples. Unknown fields are refused."""
