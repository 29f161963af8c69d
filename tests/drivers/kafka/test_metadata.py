"""Which version of the Metadata request a broker is asked in."""

import pytest

from drivers.kafka.metadata import TopicMetadata


@pytest.mark.parametrize("newest, asked", [(5, 5), (9, 5), (11, 5), (12, 12), (13, 12)])
def test_a_broker_that_knows_topic_ids_is_asked_for_them_and_an_older_one_for_the_rest(newest: int, asked: int) -> None:
    request = TopicMetadata("costs").prepare({3: (0, newest)})
    assert asked == request.API_VERSION
    assert b"costs" in request.encode()
