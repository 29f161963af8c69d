"""The edge of a deployment: TLS and logins of Kafka and PostgreSQL, roles with few rights, secrets that stay secret."""
