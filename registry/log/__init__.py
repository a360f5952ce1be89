"""The append-only transparency log: leaves, tree, checkpoints, proofs."""
