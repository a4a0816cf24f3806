"""A page to play with: identities in rows, observations in columns, the ways between them."""
