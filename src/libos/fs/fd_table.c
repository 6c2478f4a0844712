/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

#include "libos/fs/fd_table.h"

#include <linux/resource.h>

#include "libos/fs/file.h"
#include "libos/fs/locks.h"
#include "libos/mm/kmem.h"
#include "libos/proc/thread.h"
#include "libos/sys/limits.h"

#define FD_FIRST_SIZE 64u

struct fd_slot {
    struct file *file; /* a reference; NULL: free */
    bool cloexec;
};

/* The spinlock covers the slots. Growing allocates without it and then looks again. */
struct fd_table {
    struct spinlock lock;
    struct fd_slot *slots;
    uint32_t size;
    uint32_t first_free; /* no free slot lies below */
};

static struct fd_table *current_table(void)
{
    return process_current()->files;
}

int fd_table_create(struct fd_table **ret)
{
    struct fd_table *t = kzalloc(sizeof(*t));

    if (t == NULL) {
        return -ENOMEM;
    }
    t->slots = kzalloc(FD_FIRST_SIZE * sizeof(t->slots[0]));
    if (t->slots == NULL) {
        kfree(t);
        return -ENOMEM;
    }
    t->size = FD_FIRST_SIZE;
    *ret = t;
    return 0;
}

/* Makes room for descriptor `fd`. Called and returns with the lock held; drops it to allocate. */
static int grow(struct fd_table *t, uint32_t fd)
{
    while (fd >= t->size) {
        uint32_t size = t->size;

        while (size <= fd) {
            size *= 2;
        }
        spin_unlock(&t->lock);
        struct fd_slot *slots = kzalloc(size * sizeof(slots[0]));

        spin_lock(&t->lock);
        if (slots == NULL) {
            return -ENOMEM;
        }
        if (t->size >= size) { /* another thread was faster */
            spin_unlock(&t->lock);
            kfree(slots);
            spin_lock(&t->lock);
            continue;
        }
        struct fd_slot *old = t->slots;

        __builtin_memcpy(slots, old, t->size * sizeof(slots[0]));
        t->slots = slots;
        t->size = size;
        spin_unlock(&t->lock);
        kfree(old);
        spin_lock(&t->lock);
    }
    return 0;
}

int fd_table_clone(struct fd_table *t, struct fd_table **ret)
{
    struct fd_table *copy = NULL;
    int r = fd_table_create(&copy);

    if (r < 0) {
        return r;
    }
    for (;;) {
        spin_lock(&t->lock);
        uint32_t size = t->size;

        if (size <= copy->size) {
            break;
        }
        spin_unlock(&t->lock);
        spin_lock(&copy->lock);
        r = grow(copy, size - 1);
        spin_unlock(&copy->lock);
        if (r < 0) {
            fd_table_destroy(copy);
            return r;
        }
    }
    for (uint32_t i = 0; i < t->size; i++) {
        if (t->slots[i].file != NULL) {
            copy->slots[i] = t->slots[i];
            file_get(copy->slots[i].file);
        }
    }
    copy->first_free = t->first_free;
    spin_unlock(&t->lock);
    *ret = copy;
    return 0;
}

/* Empties a slot under the lock and hands its reference out. */
static struct file *take_slot(struct fd_table *t, uint32_t i)
{
    struct file *f = t->slots[i].file;

    t->slots[i] = (struct fd_slot){0};
    if (f != NULL && i < t->first_free) {
        t->first_free = i;
    }
    return f;
}

/* What close(2) does besides dropping the reference. */
static void closed(struct file *f)
{
    locks_closed(f);
    file_put(f);
}

void fd_table_close_on_exec(struct fd_table *t)
{
    for (uint32_t i = 0;; i++) {
        struct file *f = NULL;

        spin_lock(&t->lock);
        if (i >= t->size) {
            spin_unlock(&t->lock);
            return;
        }
        if (t->slots[i].cloexec) {
            f = take_slot(t, i);
        }
        spin_unlock(&t->lock);
        if (f != NULL) {
            closed(f);
        }
    }
}

void fd_table_destroy(struct fd_table *t)
{
    if (t == NULL) {
        return;
    }
    for (uint32_t i = 0; i < t->size; i++) {
        if (t->slots[i].file != NULL) {
            closed(t->slots[i].file);
        }
    }
    kfree(t->slots);
    kfree(t);
}

void fd_table_for_each(struct fd_table *t, void (*f)(struct file *f, void *arg), void *arg)
{
    for (uint32_t i = 0; t != NULL && i < t->size; i++) {
        if (t->slots[i].file != NULL) {
            f(t->slots[i].file, arg);
        }
    }
}

uint64_t fd_table_limit(void)
{
    return MIN(limit_current(RLIMIT_NOFILE), (uint64_t)FD_TABLE_LIMIT);
}

size_t fd_table_size(const struct fd_table *t)
{
    return t->size;
}

static struct file *get(int fd, bool o_path)
{
    struct fd_table *t = current_table();
    struct file *f = NULL;

    spin_lock(&t->lock);
    if (fd >= 0 && (uint32_t)fd < t->size) {
        f = t->slots[fd].file;
        if (f != NULL && !o_path && (f->mode & FILE_PATH) != 0) {
            f = NULL;
        }
        if (f != NULL) {
            file_get(f);
        }
    }
    spin_unlock(&t->lock);
    return f;
}

struct file *fd_get(int fd)
{
    return get(fd, /*o_path=*/false);
}

struct file *fd_get_path(int fd)
{
    return get(fd, /*o_path=*/true);
}

int fd_install(struct file *f, bool cloexec, int min)
{
    struct fd_table *t = current_table();

    if (min < 0) {
        return -EINVAL;
    }
    uint64_t limit = fd_table_limit();

    spin_lock(&t->lock);
    uint32_t i = MAX((uint32_t)min, t->first_free);

    for (;; i++) {
        if (i >= limit) {
            spin_unlock(&t->lock);
            return -EMFILE;
        }
        if (i >= t->size) {
            int r = grow(t, i);

            if (r < 0) {
                spin_unlock(&t->lock);
                return r;
            }
        }
        if (t->slots[i].file == NULL) {
            break;
        }
    }
    t->slots[i] = (struct fd_slot){.file = f, .cloexec = cloexec};
    if ((uint32_t)min <= t->first_free) {
        t->first_free = i + 1;
    }
    spin_unlock(&t->lock);
    return (int)i;
}

int fd_install_at(struct file *f, bool cloexec, int fd)
{
    struct fd_table *t = current_table();
    uint64_t limit = fd_table_limit();

    spin_lock(&t->lock);
    if (fd < 0 || (uint64_t)fd >= limit) {
        spin_unlock(&t->lock);
        return -EBADF;
    }
    int r = grow(t, (uint32_t)fd);

    if (r < 0) {
        spin_unlock(&t->lock);
        return r;
    }
    struct file *old = t->slots[fd].file;

    t->slots[fd] = (struct fd_slot){.file = f, .cloexec = cloexec};
    spin_unlock(&t->lock);
    if (old != NULL) {
        closed(old);
    }
    return fd;
}

int fd_close(int fd)
{
    struct fd_table *t = current_table();
    struct file *f = NULL;

    spin_lock(&t->lock);
    if (fd >= 0 && (uint32_t)fd < t->size) {
        f = take_slot(t, (uint32_t)fd);
    }
    spin_unlock(&t->lock);
    if (f == NULL) {
        return -EBADF;
    }
    closed(f);
    return 0;
}

int fd_close_range(uint32_t first, uint32_t last, bool cloexec_only)
{
    struct fd_table *t = current_table();

    if (first > last) {
        return -EINVAL;
    }
    for (uint32_t i = first;; i++) {
        struct file *f = NULL;

        spin_lock(&t->lock);
        if (i >= t->size || i > last) {
            spin_unlock(&t->lock);
            return 0;
        }
        if (cloexec_only) {
            t->slots[i].cloexec = t->slots[i].file != NULL;
        } else {
            f = take_slot(t, i);
        }
        spin_unlock(&t->lock);
        if (f != NULL) {
            closed(f);
        }
    }
}

int fd_get_cloexec(int fd)
{
    struct fd_table *t = current_table();
    int r = -EBADF;

    spin_lock(&t->lock);
    if (fd >= 0 && (uint32_t)fd < t->size && t->slots[fd].file != NULL) {
        r = t->slots[fd].cloexec ? 1 : 0;
    }
    spin_unlock(&t->lock);
    return r;
}

int fd_set_cloexec(int fd, bool on)
{
    struct fd_table *t = current_table();
    int r = -EBADF;

    spin_lock(&t->lock);
    if (fd >= 0 && (uint32_t)fd < t->size && t->slots[fd].file != NULL) {
        t->slots[fd].cloexec = on;
        r = 0;
    }
    spin_unlock(&t->lock);
    return r;
}

int fd_next(int fd, struct file **ret)
{
    struct fd_table *t = current_table();

    spin_lock(&t->lock);
    for (uint32_t i = fd < 0 ? 0 : (uint32_t)fd; i < t->size; i++) {
        if (t->slots[i].file != NULL) {
            *ret = file_get(t->slots[i].file);
            spin_unlock(&t->lock);
            return (int)i;
        }
    }
    spin_unlock(&t->lock);
    return -1;
}
