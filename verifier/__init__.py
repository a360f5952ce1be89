"""Say whether a credential is genuine and still good."""
