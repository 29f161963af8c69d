"""How a worker's process is set up; in a process of its own, for it cannot be undone."""

import subprocess
import sys

_PROGRAM = """
import ctypes, sys
from streams.tuning import tune

class Held(ctypes.Structure):
    NAMES = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in NAMES.split()]

libc = ctypes.CDLL(None)
if not hasattr(libc, "mallinfo2"):
    print("another C library")
    sys.exit()
libc.mallinfo2.restype = Held
tune()
for size in (1 << 20, 8 << 20):
    large = bytearray(size)
    del large
before = libc.mallinfo2().hblkhd
buffer = bytearray(256 << 10)
print("off the heap" if libc.mallinfo2().hblkhd >= before + len(buffer) else "on the heap")
"""


def test_large_buffers_stay_off_the_heap_after_larger_ones_were_given_back() -> None:
    said = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, check=True, text=True, timeout=60)
    assert said.stdout.strip() in {"off the heap", "another C library"}
