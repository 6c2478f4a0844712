# SPDX-License-Identifier: Apache-2.0
"""A walk through modules that lean on the system: zlib, hashlib, tempfile, mmap, os.walk, select."""
import base64
import bz2
import datetime
import decimal
import hashlib
import io
import json
import lzma
import mmap
import os
import random
import re
import select
import shutil
import socket
import stat
import struct
import tempfile
import time
import uuid
import zipfile
import zlib

data = bytes(range(256)) * 400
for m in (zlib, bz2, lzma):
    print(m.__name__, m.decompress(m.compress(data)) == data)
print(hashlib.sha256(data).hexdigest()[:16], hashlib.blake2b(data).hexdigest()[:16])
print(json.dumps({"a": [1, 2.5, None, "ü"]}, sort_keys=True))
print(decimal.Decimal(2).sqrt(), uuid.uuid5(uuid.NAMESPACE_DNS, "nacre"))
random.seed(7)
print([random.randrange(100) for _ in range(6)])
print(re.findall(r"(\w+)@(\w+)", "a@b c@d"))
print(datetime.datetime.fromtimestamp(0, datetime.timezone.utc).isoformat())
print(struct.pack("<IHb", 1, 2, -3), base64.b32encode(b"nacre"))

top = tempfile.mkdtemp()
for i in range(30):
    os.makedirs(f"{top}/d{i % 3}", exist_ok=True)
    with open(f"{top}/d{i % 3}/f{i}", "wb") as f:
        f.write(b"x" * i)
print(sorted((os.path.relpath(d, top), len(fs)) for d, _, fs in os.walk(top)))
os.rename(f"{top}/d0/f0", f"{top}/d1/moved")
os.symlink("moved", f"{top}/d1/link")
os.link(f"{top}/d1/moved", f"{top}/d2/hard")
s = os.stat(f"{top}/d2/hard")
print(s.st_nlink, stat.filemode(s.st_mode), os.readlink(f"{top}/d1/link"))
os.chmod(f"{top}/d2/hard", 0o640)
os.utime(f"{top}/d2/hard", (1, 2))
print(oct(os.stat(f"{top}/d1/moved").st_mode), os.stat(f"{top}/d1/link").st_mtime)
shutil.copytree(top, top + "-copy", symlinks=True)
print(len(list(os.scandir(top + "-copy"))))
with open(f"{top}/map", "w+b") as f:
    f.truncate(8192)
    with mmap.mmap(f.fileno(), 0) as m:
        m[4096:4101] = b"nacre"
        m.flush()
    f.seek(4096)
    print(f.read(5))
z = io.BytesIO()
with zipfile.ZipFile(z, "w", zipfile.ZIP_DEFLATED) as archive:
    archive.writestr("a/b", data)
print(zipfile.ZipFile(z).read("a/b") == data)
shutil.rmtree(top)
shutil.rmtree(top + "-copy")
print(os.path.exists(top))

r, w = os.pipe()
print(select.select([r], [w], [], 0)[1] == [w])
os.write(w, b"hi")
poll = select.epoll()
poll.register(r, select.EPOLLIN)
print([(fd == r, ev) for fd, ev in poll.poll(1)])
s = socket.create_server(("127.0.0.1", 0))
c = socket.create_connection(s.getsockname())
d, _ = s.accept()
c.sendall(b"ping")
print(d.recv(10), time.monotonic() > 0)
try:
    os.open("/nonexistent", os.O_RDONLY)
except FileNotFoundError as e:
    print(e.strerror)
