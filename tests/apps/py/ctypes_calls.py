# SPDX-License-Identifier: Apache-2.0
"""ctypes: calls into libc, callbacks (executable memory made at run time), structures."""
import ctypes
import ctypes.util

libc = ctypes.CDLL(None, use_errno=True)
print(libc.abs(-5), libc.strlen(b"twelve chars"))
CMP = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
values = (ctypes.c_int * 8)(5, 3, 9, -1, 7, 0, 2, 8)
libc.qsort(values, 8, 4, CMP(lambda a, b: a[0] - b[0]))
print(list(values))


class Pair(ctypes.Structure):
    _fields_ = [("a", ctypes.c_int16), ("b", ctypes.c_double)]


print(ctypes.sizeof(Pair), Pair(3, 1.5).b)
print(libc.close(9999), ctypes.get_errno())
buffer = ctypes.create_string_buffer(64)
libc.snprintf(buffer, 64, b"%d-%s", ctypes.c_int(42), b"x")
print(buffer.value)
