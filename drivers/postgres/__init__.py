"""PostgreSQL: the schema, its migrations, the store and the read side."""
