"""The Kafka protocol broker inside librdkafka, in this process; others on this machine may connect to it.

It is a stand-in for demonstrations: it keeps about 5 MiB per partition and forgets all on exit; it stores records
with the producer's time, whatever the topic asks for; it has no CreateTopics, DescribeConfigs nor look-up of offsets
by time, and what a transaction wrote cannot be read back. Idempotent producers, compression and consumer groups work.
"""

import ctypes
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from drivers.embedded.processes import ServerFailed

_PRODUCER = 0  # RD_KAFKA_PRODUCER: a cluster hangs on some client
_MESSAGE_BYTES = 512


@contextmanager
def embedded_kafka(partitions: Mapping[str, int]) -> Iterator[str]:
    """Run the broker with these topics; yield its bootstrap address; it ends with the block.

    Args:
        partitions: for each topic its number of partitions. A topic not named here gets 4 when first asked for.

    Raises:
        ServerFailed: confluent-kafka is not installed, or its library lacks the broker.
    """
    library = _library()
    message = ctypes.create_string_buffer(_MESSAGE_BYTES)
    settings = library.rd_kafka_conf_new()
    library.rd_kafka_conf_set_log_cb(settings, None)  # it would warn on stderr that this client knows no broker
    client = library.rd_kafka_new(_PRODUCER, settings, message, _MESSAGE_BYTES)
    if not client:
        raise ServerFailed(f"librdkafka: {message.value.decode()}")
    cluster = library.rd_kafka_mock_cluster_new(client, 1)
    try:
        if not cluster:
            raise ServerFailed("librdkafka could not start its embedded broker")
        library.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0)
        for topic, count in partitions.items():
            if error := library.rd_kafka_mock_topic_create(cluster, topic.encode(), count, 1):
                raise ServerFailed(f"the embedded broker refused topic {topic}: error {error}")
        yield library.rd_kafka_mock_cluster_bootstraps(cluster).decode()
    finally:
        if cluster:
            library.rd_kafka_mock_cluster_destroy(cluster)
        library.rd_kafka_destroy(client)


def _library() -> ctypes.CDLL:
    """Return librdkafka, found through the extension module that is linked with it."""
    try:
        from confluent_kafka import cimpl  # noqa: PLC0415 - only the demo installs it
    except ImportError as error:
        raise ServerFailed(
            "the embedded broker is not installed; install outlay with its extra: outlay[demo]"
        ) from error
    library = ctypes.CDLL(cimpl.__file__)
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    signatures = {
        "rd_kafka_conf_new": (pointer, []),
        "rd_kafka_conf_set_log_cb": (None, [pointer, pointer]),
        "rd_kafka_new": (pointer, [number, pointer, text, ctypes.c_size_t]),
        "rd_kafka_destroy": (None, [pointer]),
        "rd_kafka_mock_cluster_new": (pointer, [pointer, number]),
        "rd_kafka_mock_cluster_destroy": (None, [pointer]),
        "rd_kafka_mock_cluster_bootstraps": (text, [pointer]),
        "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, [pointer, ctypes.c_int32]),
        "rd_kafka_mock_topic_create": (number, [pointer, text, number, number]),
    }
    for name, (result, arguments) in signatures.items():
        try:
            function = getattr(library, name)
        except AttributeError as error:
            raise ServerFailed(f"this build of librdkafka has no embedded broker ({name} is missing)") from error
        function.restype, function.argtypes = result, arguments
    return library
