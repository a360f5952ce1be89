"""Make, keep and use signing keys."""
