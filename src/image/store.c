/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "image/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "image/leftovers.h"
#include "image/tar.h"

#define LINKS_MAX 8u

struct member {
    char *name;
    char *link; /* other member's name, or NULL */
    uint64_t offset;
    uint64_t size;
};

struct opened {
    char *name;
    int fd;
    uint64_t size;
};

struct img_store {
    char *path;
    bool owned;
    int fd; /* the directory, or the archive */
    bool archive;
    struct member *members;
    size_t member_count;
    struct opened *opened; /* files of a directory opened so far */
    size_t opened_count;
};

struct img_store *img_store_free(struct img_store *s)
{
    if (s == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < s->member_count; i++) {
        free(s->members[i].name);
        free(s->members[i].link);
    }
    for (size_t i = 0; i < s->opened_count; i++) {
        free(s->opened[i].name);
        closep(&s->opened[i].fd);
    }
    closep(&s->fd);
    if (s->owned) {
        img_remove_all(s->path);
        img_leftover_drop(s->path);
    }
    free(s->members);
    free(s->opened);
    free(s->path);
    free(s);
    return NULL;
}

/* Reading an archive's headers, stepping over its data. */
struct scan {
    int fd;
    uint64_t at;
    uint64_t size;
    const char *path;
    uint8_t buf[64 * 1024];
};

static int scan_read(void *ctx, const uint8_t **ret, size_t *ret_size, struct error **err)
{
    struct scan *s = ctx;
    ssize_t n;

    do {
        n = pread(s->fd, s->buf, sizeof(s->buf), (off_t)s->at);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return error_set_errno(err, errno, "cannot read %s", s->path);
    }
    s->at += (uint64_t)n;
    *ret = s->buf;
    *ret_size = (size_t)n;
    return 0;
}

static int scan_skip(void *ctx, uint64_t size, struct error **err)
{
    struct scan *s = ctx;

    if (size > s->size - MIN(s->at, s->size)) {
        return error_set(err, EBADMSG, "%s is cut off", s->path);
    }
    s->at += size;
    return 0;
}

/* "a/./b//c" → "a/b/c" and "a/../b" → "b", in place; what climbs out becomes empty. */
static void normalise(char *path)
{
    char *out = path;
    char *p = path;

    while (*p != '\0') {
        char *end = strchrnul(p, '/');
        const size_t size = (size_t)(end - p);
        const bool last = *end == '\0'; /* the slash written below may land on it */

        if (size == 2 && p[0] == '.' && p[1] == '.') {
            if (out == path) {
                break;
            }
            out--;
            while (out > path && out[-1] != '/') {
                out--;
            }
        } else if (size > 0 && !(size == 1 && p[0] == '.')) {
            memmove(out, p, size);
            out += size;
            *out++ = '/';
        }
        if (last) {
            break;
        }
        p = end + 1;
    }
    if (out > path) {
        out--;
    }
    *out = '\0';
}

static int add_member(struct img_store *s, const struct tar_entry *e, uint64_t offset,
                      uint64_t size, struct error **err)
{
    struct member m = {.offset = offset, .size = size};
    struct member *grown;

    if (s->member_count >= IMG_MEMBERS_MAX) {
        return error_set(err, EFBIG, "%s holds more than %u members", s->path, IMG_MEMBERS_MAX);
    }
    grown = reallocarray(s->members, s->member_count + 1, sizeof(*grown));
    if (grown != NULL) {
        s->members = grown;
    }
    m.name = strdup(e->path);
    if (e->type == '1') {
        m.link = strdup(e->link);
    } else if (e->type == '2') {
        const char *slash = strrchr(e->path, '/');
        const int dir = slash == NULL ? 0 : (int)(slash - e->path + 1);

        if (asprintf(&m.link, "%.*s%s", dir, e->path, e->link) < 0) {
            m.link = NULL;
        }
    }
    if (grown == NULL || m.name == NULL || (m.link == NULL && e->type != '0')) {
        free(m.name);
        free(m.link);
        return error_set_errno(err, ENOMEM, "reading %s", s->path);
    }
    normalise(m.name);
    if (m.link != NULL) {
        normalise(m.link);
    }
    s->members[s->member_count++] = m;
    return 0;
}

static int scan_archive(struct img_store *s, uint64_t size, struct error **err)
{
    _cleanup_free_ struct scan *scan = calloc(1, sizeof(*scan));
    _cleanup_tar_reader_ struct tar_reader *tar = NULL;
    struct tar_entry *e;
    uint8_t magic[4] = {0};
    int r;

    if (scan == NULL) {
        return error_set_errno(err, ENOMEM, "reading %s", s->path);
    }
    if (pread(s->fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
        ((magic[0] == 0x1f && magic[1] == 0x8b) || (magic[0] == 0x28 && magic[1] == 0xb5))) {
        return error_set(err, ENOTSUP,
                         "%s is a compressed archive: unpack it first (gunzip, zstd -d)", s->path);
    }
    scan->fd = s->fd;
    scan->path = s->path;
    scan->size = size;
    r = tar_reader_new(scan_read, scan, &tar, err);
    if (r < 0) {
        return r;
    }
    tar_reader_set_skip(tar, scan_skip);
    while ((r = tar_next(tar, &e, err)) > 0) {
        const uint64_t offset = tar_position(tar);

        if (e->type == '0' &&
            (tar_stored_size(tar) != e->size || e->size > size - MIN(offset, size))) {
            r = error_set(err, EBADMSG, "%s: a member is cut off or sparse", s->path);
        } else if (e->type <= '2') {
            r = add_member(s, e, offset, e->size, err);
        }
        if (r < 0) {
            break;
        }
    }
    if (r < 0) {
        (void)error_wrap(err, "reading %s", s->path);
    }
    return r;
}

int img_store_open(const char *path, bool owned, struct img_store **ret, struct error **err)
{
    _cleanup_img_store_ struct img_store *s = calloc(1, sizeof(*s));
    struct stat st;
    int r = 0;

    if (s == NULL) {
        return error_set_errno(err, ENOMEM, "opening %s", path);
    }
    s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (s->fd < 0 || fstat(s->fd, &st) < 0) {
        return error_set_errno(err, errno, "cannot open %s", path);
    }
    s->path = strdup(path);
    if (s->path == NULL) {
        return error_set_errno(err, ENOMEM, "opening %s", path);
    }
    s->owned = owned;
    if (!S_ISDIR(st.st_mode)) {
        s->archive = true;
        r = scan_archive(s, (uint64_t)st.st_size, err);
    }
    if (r < 0) {
        return r;
    }
    *ret = TAKE_PTR(s);
    return 0;
}

bool img_store_is_archive(const struct img_store *s)
{
    return s->archive;
}

static const struct member *find_member(const struct img_store *s, const char *name)
{
    for (unsigned hops = 0; hops < LINKS_MAX; hops++) {
        const struct member *found = NULL;

        for (size_t i = 0; i < s->member_count; i++) {
            if (strcmp(s->members[i].name, name) == 0) {
                found = &s->members[i]; /* of two members of one name the last counts */
            }
        }
        if (found == NULL || found->link == NULL) {
            return found;
        }
        name = found->link;
    }
    return NULL;
}

static int open_file(struct img_store *s, const char *name, struct img_region *ret,
                     struct error **err)
{
    struct opened *grown;
    struct stat st;
    _cleanup_close_ int fd = -1;

    for (size_t i = 0; i < s->opened_count; i++) {
        if (strcmp(s->opened[i].name, name) == 0) {
            *ret = (struct img_region){.fd = s->opened[i].fd, .size = s->opened[i].size};
            return 0;
        }
    }
    fd = openat(s->fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0) {
        return error_set_errno(err, errno, "cannot open %s/%s", s->path, name);
    }
    if (!S_ISREG(st.st_mode)) {
        return error_set(err, EINVAL, "%s/%s is not a regular file", s->path, name);
    }
    grown = reallocarray(s->opened, s->opened_count + 1, sizeof(*grown));
    if (grown == NULL) {
        return error_set_errno(err, ENOMEM, "opening %s/%s", s->path, name);
    }
    s->opened = grown;
    grown[s->opened_count] = (struct opened){.name = strdup(name), .fd = -1};
    if (grown[s->opened_count].name == NULL) {
        return error_set_errno(err, ENOMEM, "opening %s/%s", s->path, name);
    }
    grown[s->opened_count].size = (uint64_t)st.st_size;
    *ret = (struct img_region){.fd = fd, .size = (uint64_t)st.st_size};
    grown[s->opened_count++].fd = TAKE_FD(fd);
    return 0;
}

int img_store_find(struct img_store *s, const char *name, struct img_region *ret,
                   struct error **err)
{
    const struct member *m;

    if (!s->archive) {
        return open_file(s, name, ret, err);
    }
    m = find_member(s, name);
    if (m == NULL) {
        return error_set(err, ENOENT, "%s has no member %.200s", s->path, name);
    }
    *ret = (struct img_region){.fd = s->fd, .offset = m->offset, .size = m->size};
    return 0;
}

bool img_store_has(struct img_store *s, const char *name)
{
    return s->archive ? find_member(s, name) != NULL : faccessat(s->fd, name, R_OK, 0) == 0;
}

int img_store_read(struct img_store *s, const char *name, size_t max, uint8_t **ret,
                   size_t *ret_size, struct error **err)
{
    _cleanup_free_ uint8_t *data = NULL;
    struct img_region region;
    size_t have = 0;
    int r = img_store_find(s, name, &region, err);

    if (r < 0) {
        return r;
    }
    if (region.size > max) {
        return error_set(err, EFBIG, "%s: %.200s is larger than %zu bytes", s->path, name, max);
    }
    data = malloc((size_t)region.size + 1);
    if (data == NULL) {
        return error_set_errno(err, ENOMEM, "reading %s", s->path);
    }
    while (have < region.size) {
        ssize_t n = pread(region.fd, data + have, (size_t)region.size - have,
                          (off_t)(region.offset + have));

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return error_set_errno(err, n < 0 ? errno : EIO, "cannot read %.200s in %s", name,
                                   s->path);
        }
        have += (size_t)n;
    }
    data[have] = '\0';
    *ret = TAKE_PTR(data);
    *ret_size = have;
    return 0;
}
