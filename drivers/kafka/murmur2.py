"""The hash by which Java clients and aiokafka place a key: the home partition of a tenant is made of it.

librdkafka places by CRC32 instead unless told ``partitioner=murmur2_random``.
"""

from __future__ import annotations

import struct

_SEED = 0x9747B28C
_M = 0x5BD1E995
_U32 = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Return the hash of *data* as an unsigned 32-bit number (Java shows the same bits signed)."""
    size = len(data)
    whole = size & ~3
    h = _SEED ^ size
    for (k,) in struct.iter_unpack("<I", data[:whole]):
        k = k * _M & _U32  # noqa: PLW2901 -- three steps of one word
        k ^= k >> 24  # noqa: PLW2901 -- same
        h = (h * _M & _U32) ^ (k * _M & _U32)
    if whole != size:
        h = (h ^ int.from_bytes(data[whole:], "little")) * _M & _U32
    h ^= h >> 13
    h = h * _M & _U32
    return h ^ h >> 15


def partition_of(key: bytes, partitions: int) -> int:
    """Return where *key* lives among *partitions*, as Kafka's default partitioner says."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
