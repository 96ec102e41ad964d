"""Parts of pages: the filter bar, headline cards, tables and what a click does."""
