"""The edge: PostgreSQL, Kafka, prices, metrics and settings."""
