/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "image/out_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

#define NAME_TRIES 100

static int open_unnamed(const char *path, unsigned mode)
{
    _cleanup_free_ char *copy = strdup(path);

    if (copy == NULL) {
        return -1;
    }
    return open(dirname(copy), O_TMPFILE | O_RDWR | O_CLOEXEC, (mode_t)mode);
}

int img_out_open(struct img_out *out, const char *path, uint64_t size, unsigned mode,
                 struct error **err)
{
    struct img_out o = {.path = strdup(path), .fd = -1};
    struct stat st;

    if (o.path == NULL) {
        return error_set_errno(err, ENOMEM, "writing %s", path);
    }
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
        free(o.path); /* root could replace even /dev/null */
        return error_set(err, EINVAL, "%s is a device or a pipe; name another output", path);
    }
    o.fd = open_unnamed(path, mode);
    if (o.fd < 0) {
        if (asprintf(&o.tmp, "%s.XXXXXX", path) < 0) {
            free(o.path);
            return error_set_errno(err, ENOMEM, "writing %s", path);
        }
        o.fd = mkostemp(o.tmp, O_CLOEXEC);
    }
    if (o.fd < 0) {
        int e = errno;

        free(o.path);
        free(o.tmp);
        return error_set_errno(err, e, "cannot create a file beside %s", path);
    }
    if (fchmod(o.fd, (mode_t)mode) < 0 || (size > 0 && fallocate(o.fd, 0, 0, (off_t)size) < 0 &&
                                           errno != EOPNOTSUPP && errno != ENOSYS)) {
        int r = error_set_errno(err, errno, "cannot reserve %llu bytes for %s",
                                (unsigned long long)size, path);

        img_out_discard(&o);
        return r;
    }
    *out = o;
    return 0;
}

int img_out_open_scratch(struct img_out *out, const char *beside, uint64_t size, struct error **err)
{
    struct img_out o = IMG_OUT_NONE;
    int r = img_out_open(&o, beside, size, 0600, err);

    if (r < 0) {
        return r;
    }
    if (o.tmp != NULL) {
        (void)unlink(o.tmp);
        free(TAKE_PTR(o.tmp));
    }
    free(o.path);
    if (asprintf(&o.path, "the scratch file beside %s", beside) < 0) {
        o.path = NULL;
        img_out_discard(&o);
        return error_set_errno(err, ENOMEM, "writing beside %s", beside);
    }
    *out = o;
    return 0;
}

int img_out_write(struct img_out *out, uint64_t offset, const void *data, size_t size,
                  struct error **err)
{
    const uint8_t *p = data;

    while (size > 0) {
        ssize_t n = pwrite(out->fd, p, size, (off_t)offset);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return error_set_errno(err, errno, "cannot write %s", out->path);
        }
        p += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return 0;
}

/* linkat() never replaces: the file gets a temporary name first and is renamed over the old one. */
static int give_temporary_name(struct img_out *out)
{
    char self[64];

    (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", out->fd);
    for (unsigned i = 0; i < NAME_TRIES; i++) {
        if (asprintf(&out->tmp, "%s.%lx%02u", out->path, (unsigned long)getpid(), i) < 0) {
            out->tmp = NULL;
            return -ENOMEM;
        }
        if (linkat(AT_FDCWD, self, AT_FDCWD, out->tmp, AT_SYMLINK_FOLLOW) == 0) {
            return 0;
        }
        free(TAKE_PTR(out->tmp));
        if (errno != EEXIST) {
            return -errno;
        }
    }
    return -EEXIST;
}

int img_out_commit(struct img_out *out, struct error **err)
{
    int r = fsync(out->fd) < 0 ? -errno : 0;

    if (r == 0 && out->tmp == NULL) {
        r = give_temporary_name(out);
    }
    if (r == 0 && rename(out->tmp, out->path) < 0) {
        r = -errno;
    }
    if (r < 0) {
        (void)error_set_errno(err, -r, "cannot write %s", out->path);
        img_out_discard(out);
        return r;
    }
    free(TAKE_PTR(out->tmp));
    img_out_discard(out);
    return 0;
}

void img_out_discard(struct img_out *out)
{
    if (out->tmp != NULL) {
        (void)unlink(out->tmp);
    }
    if (out->fd >= 0) {
        (void)close(out->fd);
    }
    free(out->path);
    free(out->tmp);
    *out = IMG_OUT_NONE;
}
