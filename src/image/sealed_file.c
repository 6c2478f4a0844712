/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "image/sealed_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "core/ct.h"

#define META_PAGES 64u /* tag and tree pages kept: tags of 60 MiB around the reading position */

struct cached_block {
    uint64_t number; /* block + 1; 0 is empty */
    uint8_t data[SEALED_BLOCK_SIZE];
};

struct sealed_file {
    struct seal_reader reader;
    int fd;
    char *path;
    struct seal_page *pages;
    struct cached_block *cache; /* a direct-mapped cache: neighbours never evict each other */
};

static int read_at(void *ctx, uint64_t offset, void *dst, size_t size)
{
    const struct sealed_file *f = ctx;
    uint8_t *p = dst;

    while (size > 0) {
        ssize_t n = pread(f->fd, p, size, (off_t)offset);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? -errno : -EIO;
        }
        p += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return 0;
}

struct sealed_file *sealed_file_free(struct sealed_file *f)
{
    if (f != NULL) {
        seal_close(&f->reader);
        closep(&f->fd);
        if (f->cache != NULL) {
            ct_wipe(f->cache, SEALED_FILE_CACHE_BLOCKS * sizeof(*f->cache));
        }
        free(f->cache);
        free(f->pages);
        free(f->path);
        free(f);
    }
    return NULL;
}

int sealed_file_error(const struct sealed_file *f, int code, struct error **err)
{
    if (f->reader.fault == SEAL_FAULT_NONE) {
        return error_set_errno(err, -code, "cannot read %s", f->path);
    }
    (void)error_set(err, -code, "%s %s (at byte %llu)", f->path, seal_fault_text(f->reader.fault),
                    (unsigned long long)f->reader.fault_at);
    return code;
}

int sealed_file_open(const char *path, const uint8_t *sealing_key, const uint8_t *pinned_root,
                     struct sealed_file **ret, struct error **err)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    return fd < 0 ? error_set_errno(err, errno, "cannot open %s", path)
                  : sealed_file_open_fd(fd, path, sealing_key, pinned_root, ret, err);
}

int sealed_file_open_fd(int taken, const char *path, const uint8_t *sealing_key,
                        const uint8_t *pinned_root, struct sealed_file **ret, struct error **err)
{
    _cleanup_close_ int fd = taken;
    _cleanup_sealed_file_ struct sealed_file *f = NULL;
    struct stat st;
    int r;

    f = aligned_alloc(64, (sizeof(*f) + 63) / 64 * 64);
    if (f == NULL) {
        return error_set_errno(err, ENOMEM, "opening %s", path);
    }
    memset(f, 0, sizeof(*f));
    f->fd = TAKE_FD(fd);
    if (fstat(f->fd, &st) < 0) {
        return error_set_errno(err, errno, "cannot open %s", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return error_set(err, EINVAL, "%s is not a regular file", path);
    }
    f->path = strdup(path);
    f->pages = calloc(META_PAGES, sizeof(*f->pages));
    f->cache = calloc(SEALED_FILE_CACHE_BLOCKS, sizeof(*f->cache));
    if (f->path == NULL || f->pages == NULL || f->cache == NULL) {
        return error_set_errno(err, ENOMEM, "opening %s", path);
    }
    r = seal_open(&f->reader, read_at, f, (uint64_t)st.st_size, sealing_key, pinned_root, f->pages,
                  META_PAGES);
    if (r < 0) {
        return sealed_file_error(f, r, err);
    }
    *ret = TAKE_PTR(f);
    return 0;
}

uint64_t sealed_file_block_count(const struct sealed_file *f)
{
    return f->reader.geometry.block_count;
}

uint64_t sealed_file_size(const struct sealed_file *f)
{
    return f->reader.geometry.file_size;
}

const uint8_t *sealed_file_root(const struct sealed_file *f)
{
    return f->reader.root;
}

int sealed_file_get(struct sealed_file *f, uint64_t block, const uint8_t **ret_data)
{
    struct cached_block *c = &f->cache[block % SEALED_FILE_CACHE_BLOCKS];
    int r;

    if (c->number != block + 1) {
        c->number = 0;
        r = seal_read_block(&f->reader, block, c->data);
        if (r < 0) {
            return r;
        }
        c->number = block + 1;
    }
    *ret_data = c->data;
    return 0;
}

int sealed_file_read_block(struct sealed_file *f, uint64_t block,
                           uint8_t dst[static SEALED_BLOCK_SIZE])
{
    return seal_read_block(&f->reader, block, dst);
}

int sealed_file_verify_tree(struct sealed_file *f)
{
    return seal_verify_tree(&f->reader);
}
