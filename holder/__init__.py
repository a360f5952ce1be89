"""What a holder does: fetch the exact signed file with a claim code."""
