/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/mm/user.h"

#include "core/overflow.h"
#include "libos/boot/boot.h"
#include "libos/mm/kmem.h"
#include "libos/mm/user_raw.h"

#define USER_PATH_MAX 4096u
#define UIO_MAX       1024u

int user_check(uint64_t user, uint64_t size)
{
    return range_within(user, size, g_user_start, g_user_end) || size == 0 ? 0 : -EFAULT;
}

int user_copy_in(void *dst, uint64_t user_src, size_t size)
{
    if (!range_within(user_src, size, g_user_start, g_user_end)) {
        return size == 0 ? 0 : -EFAULT;
    }
    return user_raw_copy(dst, (const void *)user_src, size) == 0 ? 0 : -EFAULT;
}

int user_copy_out(uint64_t user_dst, const void *src, size_t size)
{
    if (!range_within(user_dst, size, g_user_start, g_user_end)) {
        return size == 0 ? 0 : -EFAULT;
    }
    return user_raw_copy((void *)user_dst, src, size) == 0 ? 0 : -EFAULT;
}

int user_clear(uint64_t user_dst, size_t size)
{
    if (!range_within(user_dst, size, g_user_start, g_user_end)) {
        return size == 0 ? 0 : -EFAULT;
    }
    return user_raw_clear((void *)user_dst, size) == 0 ? 0 : -EFAULT;
}

int user_copy_string(char *dst, size_t cap, uint64_t user_src)
{
    size_t done = 0;

    /* Up to the end of each page at most: what lies behind the string may not be mapped. */
    while (done < cap) {
        const uint64_t at = user_src + done;
        const size_t n = MIN(cap - done, (size_t)(NACRE_PAGE_SIZE - at % NACRE_PAGE_SIZE));
        int r = user_copy_in(dst + done, at, n);

        if (r < 0) {
            return r;
        }
        for (size_t i = 0; i < n; i++) {
            if (dst[done + i] == '\0') {
                return (int)(done + i);
            }
        }
        done += n;
    }
    return -ENAMETOOLONG;
}

int user_get_path(uint64_t user_src, char **ret)
{
    char buf[256];
    int r = user_copy_string(buf, sizeof(buf), user_src);
    char *p;

    if (r >= 0) {
        p = kmalloc((size_t)r + 1);
        if (p == NULL) {
            return -ENOMEM;
        }
        __builtin_memcpy(p, buf, (size_t)r + 1);
        *ret = p;
        return 0;
    }
    if (r != -ENAMETOOLONG) {
        return r;
    }
    p = kmalloc(USER_PATH_MAX);
    if (p == NULL) {
        return -ENOMEM;
    }
    r = user_copy_string(p, USER_PATH_MAX, user_src);
    if (r < 0) {
        kfree(p);
        return r;
    }
    *ret = p;
    return 0;
}

int user_get_iov(struct user_iov *ret, uint64_t user_iov, uint64_t count)
{
    struct user_iov out = {.count = count};
    int r;

    if (count > UIO_MAX) {
        return -EINVAL;
    }
    out.v = ret->fast;
    if (count > USER_IOV_FAST) {
        out.v = kmalloc(count * sizeof(*out.v));
        if (out.v == NULL) {
            return -ENOMEM;
        }
    }
    r = user_copy_in(out.v, user_iov, count * sizeof(*out.v));
    for (uint64_t i = 0; r == 0 && i < count; i++) {
        struct user_iovec *v = &out.v[i];

        if ((int64_t)v->size < 0) {
            r = -EINVAL;
        } else if (v->size != 0 && user_check(v->base, v->size) < 0) {
            r = -EFAULT;
        } else {
            /* Linux clamps the total to MAX_RW_COUNT. */
            v->size = MIN(v->size, 0x7ffff000ull - out.total);
            out.total += v->size;
        }
    }
    if (r < 0) {
        if (out.v != ret->fast) {
            kfree(out.v);
        }
        return r;
    }
    ret->count = out.count;
    ret->total = out.total;
    ret->v = out.v;
    return 0;
}

void user_iov_free(struct user_iov *iov)
{
    if (iov->v != iov->fast) {
        kfree(iov->v);
    }
    iov->v = iov->fast;
    iov->count = 0;
}
