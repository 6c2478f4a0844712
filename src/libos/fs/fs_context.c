/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

#include "libos/fs/fs_context.h"

#include "libos/fs/fd_table.h"
#include "libos/mm/kmem.h"
#include "libos/proc/thread.h"

#define UMASK_DEFAULT 022u

static struct fs_context *current(void)
{
    return process_current()->fs;
}

int fs_process_init(struct process *p)
{
    p->fs = kzalloc(sizeof(*p->fs));
    if (p->fs == NULL) {
        return -ENOMEM;
    }
    p->fs->umask = UMASK_DEFAULT;
    int r = fd_table_create(&p->files);

    if (r < 0) {
        kfree(p->fs);
        p->fs = NULL;
    }
    return r;
}

int fs_process_clone(const struct process *from, struct process *to)
{
    int r = fs_process_init(to);

    if (r < 0) {
        return r;
    }
    fd_table_destroy(to->files);
    to->files = NULL;
    r = fd_table_clone(from->files, &to->files);
    if (r < 0) {
        fs_process_exit(to);
        return r;
    }
    spin_lock(&from->fs->lock);
    to->fs->root = from->fs->root;
    to->fs->cwd = from->fs->cwd;
    to->fs->umask = from->fs->umask;
    path_get(&to->fs->root);
    path_get(&to->fs->cwd);
    spin_unlock(&from->fs->lock);
    return 0;
}

void fs_process_exit(struct process *p)
{
    fd_table_destroy(p->files);
    p->files = NULL;
    if (p->fs != NULL) {
        path_put(&p->fs->root);
        path_put(&p->fs->cwd);
        kfree(p->fs);
        p->fs = NULL;
    }
}

static void get_path(const struct path *which, struct path *ret)
{
    struct fs_context *c = current();

    spin_lock(&c->lock);
    *ret = *which;
    path_get(ret);
    spin_unlock(&c->lock);
    if (ret->dentry == NULL) { /* before the first chroot or chdir: the root of everything */
        *ret = mount_root_path();
        path_get(ret);
    }
}

void fs_get_root(struct path *ret)
{
    get_path(&current()->root, ret);
}

void fs_get_cwd(struct path *ret)
{
    get_path(&current()->cwd, ret);
}

static void set_path(struct path *which, const struct path *p)
{
    struct fs_context *c = current();
    struct path old;

    path_get(p);
    spin_lock(&c->lock);
    old = *which;
    *which = *p;
    spin_unlock(&c->lock);
    path_put(&old);
}

void fs_set_root(const struct path *p)
{
    set_path(&current()->root, p);
}

void fs_set_cwd(const struct path *p)
{
    set_path(&current()->cwd, p);
}

uint32_t fs_umask(void)
{
    return __atomic_load_n(&current()->umask, __ATOMIC_RELAXED);
}

void fs_forget_paths(void)
{
    const struct path none = {0};

    fs_set_root(&none);
    fs_set_cwd(&none);
}
