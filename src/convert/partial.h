/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Sealing a part of an image: which names go into the seal, which stay outside as ordinary layers,
 * and what keeps the two apart. Inside the enclave the sealed image lies over the container's own
 * root, which is the host's: a name the seal has wins, a directory marked whole shows nothing of
 * the host, any other name comes from below, unprotected (docs/formats/manifest.md, bit 6).
 *
 * So a name that must *not* exist is sealed as well: as a link into a directory that is whole and
 * empty. That is how a library directory the dynamic linker would search first is kept closed.
 */

#include "convert/convert.h"
#include "convert/rootfs.h"
#include "image/seal_image.h"

#define PARTIAL_SEALED 0x01u /* entry marks: this name is in the seal */
#define PARTIAL_WHOLE  0x02u /* a directory: and nothing else shows through it */

#define PARTIAL_NOWHERE "/.nacre" /* the directory that is whole and empty */

struct partial {
    struct img_tree *tree;
    const struct img_source *source;
    uint64_t unpacked_max;
    struct rootfs fs; /* marks what it steps on while `marking` */
    bool marking;
    int cached_fd; /* content of cached_inode, fetched last */
    uint32_t cached_inode;
    void (*note)(void *ctx, const char *text);
    void *note_ctx;
};

[[nodiscard]] int partial_init(struct partial *p, const struct img_source *source,
                               struct img_tree *tree, uint64_t unpacked_max);
void partial_done(struct partial *p);
#define _cleanup_partial_ _cleanup_(partial_done)

/* Seals a directory with all it holds, or one file. -ENOENT names what the image does not have. */
[[nodiscard]] int partial_seal(struct partial *p, const char *path, struct error **err);
/* Takes it out again. */
[[nodiscard]] int partial_unseal(struct partial *p, const char *path, struct error **err);
void partial_seal_all(struct partial *p);

/* Seals the absence of a name: in the image it must not be. Makes the directory when it is missing.
 */
[[nodiscard]] int partial_hide(struct partial *p, const char *dir, const char *name,
                               struct error **err);

/* A file outside the seal that is another name of one inside comes inside, too. */
[[nodiscard]] int partial_settle_links(struct partial *p, struct error **err);

/* Writes what is outside as a layer (as img_tar_write), then takes it from the tree and marks whole
 * directories in it. */
[[nodiscard]] int partial_split(struct partial *p, const struct img_progress *progress, int *ret_fd,
                                struct img_layer *ret_layer, uint64_t *ret_names,
                                struct error **err);

/* The entry a resolved node stands for. */
static inline uint32_t partial_entry(const struct rootfs_node *n)
{
    return (uint32_t)n->id;
}
