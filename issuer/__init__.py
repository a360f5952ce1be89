"""Issue and change credentials: batches, approval, chunks."""
