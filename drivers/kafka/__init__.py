"""Apache Kafka, through aiokafka: where its errors become those of ``engines.core.errors``."""
