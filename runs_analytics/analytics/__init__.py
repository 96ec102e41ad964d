"""Questions about runs: one typed function each, shared by pages, API, exports and reports."""
