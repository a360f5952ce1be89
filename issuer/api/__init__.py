"""The issuing API: batches, single certificates, changes, search; for callers with a token."""
