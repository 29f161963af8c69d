"""The rules: pure, typed, without I/O and without a clock."""
