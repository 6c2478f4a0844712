/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * What can be wrong with a sealed image: X(name, errno returned, text). The text ends a sentence
 * that starts with the file's name; docs/formats/sealed-image.md lists the same rows.
 */

X(NONE, 0, "is intact")
X(IO, EIO, "cannot be read")
X(NOT_SEALED, EBADMSG, "is not a sealed image (no NSEAL magic)")
X(VERSION, EPROTONOSUPPORT, "has a sealed-format version or algorithm this nacre does not know")
X(SHAPE, EBADMSG, "has the wrong length or counts that contradict each other (truncated, extended or edited)")
X(KEY, EKEYREJECTED, "was sealed with another key")
X(ROOT, EKEYREJECTED, "is intact in itself but is not the pinned image (another sealed root)")
X(SUPERBLOCK, EBADMSG, "has a superblock that was changed")
X(TREE, EBADMSG, "has a hash-tree page that was changed")
X(TAGS, EBADMSG, "has a tag page that was changed")
X(BLOCK, EBADMSG, "has a data block that was changed")
