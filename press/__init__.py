"""Print a credential: from checked claims to the bytes of a signed PDF."""
