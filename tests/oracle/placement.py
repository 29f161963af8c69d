"""Where a key lives: the Java clients' murmur2, written out (CONTRACT §1, "Key")."""

_MASK = 0xFFFFFFFF
_M = 0x5BD1E995
_SEED = 0x9747B28C


def murmur2(key: bytes) -> int:
    """Return the 32-bit hash of *key* as an unsigned number."""
    h = (_SEED ^ len(key)) & _MASK
    whole = len(key) // 4 * 4
    for at in range(0, whole, 4):
        k = int.from_bytes(key[at : at + 4], "little")
        k = (k * _M) & _MASK
        k ^= k >> 24
        k = (k * _M) & _MASK
        h = (h * _M) & _MASK
        h ^= k
    if rest := key[whole:]:
        h ^= int.from_bytes(rest, "little")
        h = (h * _M) & _MASK
    h ^= h >> 13
    h = (h * _M) & _MASK
    return h ^ (h >> 15)


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of *key* on a topic of *partitions* partitions."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def home(tenant_id: str, partitions: int) -> int:
    """Return the one partition whose worker owns this tenant's state."""
    return partition_of(tenant_id.encode(), partitions)
