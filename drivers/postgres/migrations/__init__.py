"""Alembic's environment; run by ``drivers.postgres.migrate``."""
