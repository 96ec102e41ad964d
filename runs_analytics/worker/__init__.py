"""The loops that keep the warehouse up to date while the server runs."""
