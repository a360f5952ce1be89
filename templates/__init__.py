"""Templates, pages and fonts: data with a small door."""
