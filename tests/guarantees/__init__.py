"""What docs/guarantees.md promises, the tests that prove it, and the damage that each of them must notice."""
