"""The HTTP interface: runs come in below `/api`, health and metrics lie at the root."""
