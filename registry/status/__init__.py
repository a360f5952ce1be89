"""Status lists: two bits a credential, signed and cacheable."""
