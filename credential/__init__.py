"""What a credential is: pure types and bytes, no files, no network, no clock."""
