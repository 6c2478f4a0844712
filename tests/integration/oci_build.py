# SPDX-License-Identifier: Apache-2.0
"""Builds container images byte by byte for the tests: tar layers with every odd entry a test wants,
OCI layouts, OCI and docker archives. Standard library only."""
import gzip
import hashlib
import io
import json
import os
import tarfile


def is_static(path):
    """A program that runs in an image without a C library."""
    with open(path, "rb") as f:
        return b"/lib64/ld-linux" not in f.read()


class Layer:
    """A tar layer under construction; names may hold any bytes (surrogateescape)."""

    def __init__(self, fmt=tarfile.PAX_FORMAT):
        self.buffer = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.buffer, mode="w", format=fmt,
                                encoding="utf-8", errors="surrogateescape")

    def add(self, name, kind=tarfile.REGTYPE, data=b"", mode=None, uid=0, gid=0, mtime=1700000000,
            link="", dev=(0, 0), xattrs=None):
        info = tarfile.TarInfo(name)
        info.type = kind
        info.size = len(data)
        info.mode = mode if mode is not None else (0o755 if kind == tarfile.DIRTYPE else 0o644)
        info.uid, info.gid, info.mtime = uid, gid, mtime
        info.linkname = link
        info.devmajor, info.devminor = dev
        info.pax_headers = {"SCHILY.xattr." + k: v for k, v in (xattrs or {}).items()}
        self.tar.addfile(info, io.BytesIO(data))
        return self

    def dir(self, name, **kw):
        return self.add(name, tarfile.DIRTYPE, **kw)

    def symlink(self, name, link, **kw):
        return self.add(name, tarfile.SYMTYPE, link=link, mode=0o777, **kw)

    def hardlink(self, name, link, **kw):
        return self.add(name, tarfile.LNKTYPE, link=link, **kw)

    def bytes(self):
        self.tar.close()
        return self.buffer.getvalue()


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Layout:
    """An OCI layout directory. Every piece can be made wrong on purpose."""

    def __init__(self, path):
        self.path = path
        os.makedirs(os.path.join(path, "blobs", "sha256"), exist_ok=True)
        with open(os.path.join(path, "oci-layout"), "w", encoding="ascii") as f:
            json.dump({"imageLayoutVersion": "1.0.0"}, f)
        self.manifests = []

    def put(self, data):
        d = digest(data)
        with open(os.path.join(self.path, "blobs", "sha256", d[7:]), "wb") as f:
            f.write(data)
        return d

    def image(self, layers, tag="latest", compress="gzip", arch="amd64", diff_ids=None,
              platform=None, config=None):
        descriptors = []
        ids = []
        for raw in layers:
            ids.append(digest(raw))
            blob = gzip.compress(raw, 5, mtime=0) if compress == "gzip" else raw
            descriptors.append({
                "mediaType": "application/vnd.oci.image.layer.v1.tar" +
                             ("+gzip" if compress == "gzip" else ""),
                "digest": self.put(blob), "size": len(blob)})
        text = json.dumps({"architecture": arch, "os": "linux", "config": config or {},
                           "rootfs": {"type": "layers",
                                      "diff_ids": diff_ids or ids}}).encode()
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json",
                       "digest": self.put(text), "size": len(text)},
            "layers": descriptors}).encode()
        entry = {"mediaType": "application/vnd.oci.image.manifest.v1+json",
                 "digest": self.put(manifest), "size": len(manifest)}
        if tag is not None:
            entry["annotations"] = {"org.opencontainers.image.ref.name": tag}
        if platform is not None:
            entry["platform"] = platform
        self.manifests.append(entry)
        return entry

    def nest(self, entries, tag="latest"):
        """Wraps image entries into an inner index, as multi-platform images are."""
        index = json.dumps({"schemaVersion": 2, "manifests": entries}).encode()
        self.manifests = [{"mediaType": "application/vnd.oci.image.index.v1+json",
                           "digest": self.put(index), "size": len(index),
                           "annotations": {"org.opencontainers.image.ref.name": tag}}]

    def finish(self):
        with open(os.path.join(self.path, "index.json"), "w", encoding="ascii") as f:
            json.dump({"schemaVersion": 2, "manifests": self.manifests}, f)
        return self.path


def make(path, layers, **kw):
    layout = Layout(path)
    layout.image(layers, **kw)
    return layout.finish()
