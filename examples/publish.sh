#!/usr/bin/env bash
# Publishes records of one tenant with kcat, one JSON object a line: [TOPIC=runs] examples/publish.sh TENANT [FILE…]
#
# Without TOPIC they are cost records, without FILE it reads standard input. The key, here the tenant of every line,
# routes; librdkafka must be told to place it as others do. What was interrupted may be repeated: an id counts once.
# Ends non-zero when Kafka is away.
set -euo pipefail
tenant=${1:?usage: publish.sh TENANT [FILE…]}
shift
cat -- "$@" | kcat -P -b "${OUTLAY_KAFKA_BOOTSTRAP_SERVERS:-localhost:9092}" -t "${TOPIC:-costs}" -k "$tenant" -z gzip \
  -X partitioner=murmur2_random -X enable.idempotence=true -X message.timeout.ms=30000
