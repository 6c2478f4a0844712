/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "base/alloc.h"
#include "core/ct.h"

int secret_new(size_t size, struct secret **ret)
{
    const size_t mapped = page_align_up((uint64_t)size + 1);
    struct secret *s;
    void *p;

    if (size == 0 || size > SECRET_SIZE_MAX) {
        return -EINVAL;
    }
    s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return -ENOMEM;
    }
    p = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        free(s);
        return -ENOMEM;
    }
    *s = (struct secret){.data = p, .size = size, .mapped = mapped};
    s->locked = mlock(p, mapped) == 0;
    /* Both are hardening on top of the wipe: a kernel that refuses changes nothing else. */
    (void)madvise(p, mapped, MADV_DONTDUMP);
    (void)madvise(p, mapped, MADV_WIPEONFORK);
    *ret = s;
    return 0;
}

int secret_copy(const void *data, size_t size, struct secret **ret)
{
    int r = secret_new(size, ret);

    if (r == 0) {
        memcpy((*ret)->data, data, size);
    }
    return r;
}

void secret_truncate(struct secret *s, size_t size)
{
    if (size < s->size) {
        ct_wipe(s->data + size, s->size - size);
        s->size = size;
    }
}

int secret_read_file(const char *path, size_t max, struct secret **ret, struct error **err)
{
    const bool is_stdin = strcmp(path, "-") == 0;
    _cleanup_close_ int own_fd = is_stdin ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    const int fd = is_stdin ? STDIN_FILENO : own_fd;
    _cleanup_secret_ struct secret *s = NULL;
    size_t size = 0;
    int r;

    if (fd < 0) {
        return error_set_errno(err, errno, "cannot open %s", path);
    }
    max = MIN(max, SECRET_SIZE_MAX - 1);
    r = secret_new(max + 1, &s); /* one more byte tells "full" from "too large" */
    if (r < 0) {
        return error_set_errno(err, -r, "reading %s", path);
    }
    while (size <= max) {
        ssize_t n = read(fd, s->data + size, max + 1 - size);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return error_set_errno(err, errno, "cannot read %s", path);
        }
        if (n == 0) {
            break;
        }
        size += (size_t)n;
    }
    if (size > max) {
        return error_set(err, EFBIG, "%s is larger than the %zu bytes allowed for it", path, max);
    }
    if (size == 0) {
        return error_set(err, EINVAL, "%s is empty", path);
    }
    secret_truncate(s, size);
    *ret = TAKE_PTR(s);
    return 0;
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
    return a->size == b->size && ct_equal(a->data, b->data, a->size);
}

struct secret *secret_free(struct secret *s)
{
    if (s != NULL) {
        ct_wipe(s->data, s->mapped);
        (void)munmap(s->data, s->mapped);
        free(s);
    }
    return NULL;
}
