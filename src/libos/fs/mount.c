/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Mounts: made at start-up, never taken away; mount(2) is refused to applications. */

#include "libos/fs/mount.h"

#include "libos/fs/fs_context.h"
#include "libos/lib/str.h"
#include "libos/mm/kmem.h"

static struct list g_mounts;
static struct mount *g_root;
static int g_next_id = 20;

static int mount_make(struct superblock *sb, uint32_t flags, const char *source, struct mount **ret)
{
    struct mount *m = kzalloc(sizeof(*m));

    if (m == NULL) {
        return -ENOMEM;
    }
    m->sb = sb;
    m->flags = flags;
    m->id = g_next_id++;
    str_copy(m->source, sizeof(m->source), source);
    int r = dentry_make_root(sb, &m->root);

    if (r < 0) {
        kfree(m);
        return r;
    }
    if (g_mounts.next == NULL) {
        list_init(&g_mounts);
    }
    list_insert(&g_mounts, &m->node);
    *ret = m;
    return 0;
}

int mount_add(const char *where, struct superblock *sb, uint32_t flags, const char *source)
{
    struct path at = {0};
    struct mount *m = NULL;
    int r = 0;

    if (g_root == NULL) {
        ns_lock();
        r = mount_make(sb, flags, source, &m);
        if (r == 0) {
            g_root = m;
        }
        ns_unlock();
        return r;
    }
    r = path_lookup(AT_FDCWD, where, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &at);
    if (r < 0) {
        return r;
    }
    ns_lock();
    r = mount_make(sb, flags, source, &m);
    if (r == 0) {
        m->parent = at.mnt;
        m->mountpoint = at.dentry; /* keeps the reference for good */
        at.dentry->mounted = m;
        at.dentry = NULL;
    }
    ns_unlock();
    path_put(&at);
    return r;
}

struct path mount_root_path(void)
{
    return (struct path){.mnt = g_root, .dentry = g_root == NULL ? NULL : g_root->root};
}

void mount_for_each(void (*f)(const struct mount *m, void *arg), void *arg)
{
    ns_lock();
    if (g_mounts.next != NULL) {
        list_for_each (it, &g_mounts) {
            f(list_entry(it, struct mount, node), arg);
        }
    }
    ns_unlock();
}

void mount_forget_all(void)
{
    ns_lock();
    if (g_mounts.next != NULL) {
        list_for_each (it, &g_mounts) {
            dcache_shrink(list_entry(it, struct mount, node)->sb);
        }
    }
    list_init(&g_mounts);
    g_root = NULL;
    ns_unlock();
}

void mount_for_each_writable(void (*f)(struct mount *m, void *arg), void *arg)
{
    ns_lock();
    if (g_mounts.next != NULL) {
        list_for_each (it, &g_mounts) {
            f(list_entry(it, struct mount, node), arg);
        }
    }
    ns_unlock();
}

bool mount_read_only(const struct mount *m)
{
    return m != NULL && ((m->flags | m->sb->flags) & SB_RDONLY) != 0;
}

void namespace_reset(void)
{
    struct list gone;

    list_init(&gone);
    ns_lock();
    while (g_mounts.next != NULL && !list_empty(&g_mounts)) {
        struct mount *m = list_entry(g_mounts.prev, struct mount, node);
        struct path root = {.mnt = m, .dentry = m->root};
        struct path at = {.mnt = m->parent, .dentry = m->mountpoint};

        if (at.dentry != NULL) {
            at.dentry->mounted = NULL;
        }
        list_remove(&m->node);
        list_insert(&gone, &m->node);
        path_put(&root);
        path_put(&at);
    }
    g_root = NULL;
    dcache_reset();
    while (!list_empty(&gone)) {
        struct mount *m = list_entry(gone.next, struct mount, node);

        list_remove(&m->node);
        super_free(m->sb);
        kfree(m);
    }
    ns_unlock();
}
