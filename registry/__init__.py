"""What was issued, what became of it, and where the files are."""
