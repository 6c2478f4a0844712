/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

#include "libos/fs/pseudo.h"

#include "libos/fs/dirindex.h"
#include "libos/lib/str.h"
#include "libos/mm/kmem.h"
#include "libos/proc/thread.h"

#define STORE_MAX 4096u

struct pseudo_inode {
    struct inode inode;
    const struct pseudo_entry *entry;
    uint64_t arg;
};

/* An open text file: its content as of the last read at offset 0. */
struct pseudo_text {
    struct mutex lock;
    struct strbuf text;
    bool made;
};

static const struct inode_ops g_pseudo_dir_ops;
static const struct inode_ops g_pseudo_file_ops;
static const struct inode_ops g_pseudo_link_ops;
static const struct inode_ops g_pseudo_magic_ops;

static struct pseudo_inode *pseudo_of(struct inode *inode)
{
    return container_of(inode, struct pseudo_inode, inode);
}

static const struct inode_ops *ops_for(const struct pseudo_entry *e)
{
    if (S_ISDIR(e->mode)) {
        return &g_pseudo_dir_ops;
    }
    if (S_ISLNK(e->mode)) {
        return e->magic != NULL ? &g_pseudo_magic_ops : &g_pseudo_link_ops;
    }
    return &g_pseudo_file_ops;
}

/* The same object has the same number at each lookup, without a table of them. */
static uint64_t number_of(const struct pseudo_entry *e, uint64_t arg)
{
    uint64_t h = (uint64_t)(uintptr_t)e * 0x9e3779b97f4a7c15ull + arg * 0xff51afd7ed558ccdull;

    return (h >> 33) | 0x10000;
}

static int pseudo_inode_new(struct superblock *sb, const struct pseudo_entry *e, uint64_t arg,
                            struct inode **ret)
{
    struct pseudo_inode *p = kzalloc(sizeof(*p));

    if (p == NULL) {
        return -ENOMEM;
    }
    struct inode_new what = {.mode = e->mode, .rdev = e->rdev};

    inode_init(&p->inode, sb, ops_for(e), number_of(e, arg), &what);
    p->entry = e;
    p->arg = arg;
    if (S_ISDIR(e->mode)) {
        p->inode.nlink = 2;
        p->inode.flags = e->find != NULL ? INODE_VOLATILE : 0;
    }
    *ret = &p->inode;
    return 0;
}

static void pseudo_evict(struct inode *inode)
{
    inode_destroy(inode);
    kfree(pseudo_of(inode));
}

static int pseudo_lookup(struct inode *dir, const struct qstr *name, struct inode **ret)
{
    struct pseudo_inode *p = pseudo_of(dir);
    const struct pseudo_entry *e = p->entry->entries;

    for (; e != NULL && e->name != NULL; e++) {
        if (str_len(e->name) == name->len && __builtin_memcmp(e->name, name->s, name->len) == 0) {
            return pseudo_inode_new(dir->sb, e, e->arg != 0 ? e->arg : p->arg, ret);
        }
    }
    if (p->entry->find != NULL) {
        uint64_t arg = p->arg;
        int r = p->entry->find(p->arg, name, &e, &arg);

        return r < 0 ? r : pseudo_inode_new(dir->sb, e, arg, ret);
    }
    return -ENOENT;
}

bool pseudo_emit(struct dir_context *ctx, const char *name, uint8_t type, uint64_t cookie)
{
    if (cookie < ctx->pos) {
        return true;
    }
    if (!ctx->emit(ctx, name, str_len(name), cookie, type, cookie + 1)) {
        return false;
    }
    ctx->pos = cookie + 1;
    return true;
}

/* Fixed entries have cookies from 3; listed ones follow from 1000. */
static int pseudo_readdir(struct inode *dir, struct dir_context *ctx)
{
    const struct pseudo_inode *p = pseudo_of(dir);
    uint64_t cookie = DIR_FIRST_COOKIE;

    for (const struct pseudo_entry *e = p->entry->entries; e != NULL && e->name != NULL; e++) {
        if (!pseudo_emit(ctx, e->name, mode_to_dt(e->mode), cookie++)) {
            return 0;
        }
    }
    return p->entry->list == NULL ? 0 : p->entry->list(p->arg, ctx);
}

static int pseudo_readlink(struct inode *inode, char *dst, size_t size)
{
    const struct pseudo_inode *p = pseudo_of(inode);
    struct strbuf text = {0};
    int r = p->entry->link(p->arg, &text);

    if (r == 0 && text.failed) {
        r = -ENOMEM;
    }
    if (r == 0) {
        r = (int)MIN(text.len, size);
        __builtin_memcpy(dst, text.s, (size_t)r);
    }
    strbuf_free(&text);
    return r;
}

static int pseudo_magic_link(struct inode *inode, struct path *ret)
{
    const struct pseudo_inode *p = pseudo_of(inode);

    return p->entry->magic(p->arg, ret);
}

/* ---- text files ---- */

static const struct pseudo_inode *entry_of(const struct file *f)
{
    return pseudo_of(f->inode);
}

static int make_text(const struct file *f, struct pseudo_text *t)
{
    const struct pseudo_inode *p = entry_of(f);

    strbuf_free(&t->text);
    int r = p->entry->show == NULL ? 0 : p->entry->show(p->arg, &t->text);

    t->made = r == 0;
    return r == 0 && t->text.failed ? -ENOMEM : r;
}

static int64_t text_read(struct file *f, struct iter *to, uint64_t *pos, uint32_t flags)
{
    struct pseudo_text *t = f->priv;
    int64_t n = 0;

    mutex_lock(&t->lock);
    if (*pos == 0 || !t->made) {
        n = make_text(f, t);
    }
    if (n == 0 && *pos < t->text.len) {
        size_t want = MIN(t->text.len - *pos, to->left);

        n = (int64_t)iter_put(to, t->text.s + *pos, want);
        if (n == 0 && want > 0) {
            n = -EFAULT;
        }
        *pos += n > 0 ? (uint64_t)n : 0;
    }
    mutex_unlock(&t->lock);
    return n;
}

static int64_t text_write(struct file *f, struct iter *from, uint64_t *pos, uint32_t flags)
{
    const struct pseudo_inode *p = entry_of(f);
    size_t n = from->left;
    _cleanup_kfree_ char *text = NULL;

    if (p->entry->store == NULL) {
        return -EIO;
    }
    if (n > STORE_MAX) {
        return -EINVAL;
    }
    text = kzalloc(n + 1);
    if (text == NULL) {
        return -ENOMEM;
    }
    if (iter_take(from, text, n) < n) {
        return -EFAULT;
    }
    size_t len = n;

    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\0')) {
        len--;
    }
    text[len] = '\0';
    int r = p->entry->store(p->arg, text, len);

    if (r < 0) {
        return r;
    }
    *pos += n;
    return (int64_t)n;
}

static void text_release(struct file *f)
{
    struct pseudo_text *t = f->priv;

    strbuf_free(&t->text);
    kfree(t);
}

static const struct file_ops *g_inode_ops = &inode_file_ops;

static int64_t text_seek(struct file *f, int64_t offset, int whence)
{
    return g_inode_ops->seek(f, offset, whence);
}

static uint32_t text_poll(struct file *f, struct poll_table *pt)
{
    return 0x145; /* EV_READ | EV_WRITE */
}

static const struct file_ops g_text_ops = {
    .name = "proc",
    .read = text_read,
    .write = text_write,
    .seek = text_seek,
    .poll = text_poll,
    .release = text_release,
};

static int pseudo_open(struct inode *inode, struct file *f)
{
    const struct pseudo_entry *e = pseudo_of(inode)->entry;

    if (S_ISDIR(inode->mode)) {
        return 0;
    }
    if (e->check_open != NULL) {
        int r = e->check_open(pseudo_of(inode)->arg);

        if (r < 0) {
            return r;
        }
    }
    if (e->ops != NULL) {
        f->ops = e->ops;
        f->priv = (void *)(uintptr_t)pseudo_of(inode)->arg;
        f->mode |= S_ISCHR(inode->mode) && e->ops->seek == NULL ? FILE_STREAM : 0;
        return 0;
    }
    if (S_ISCHR(inode->mode)) {
        return -ENXIO;
    }
    struct pseudo_text *t = kzalloc(sizeof(*t));

    if (t == NULL) {
        return -ENOMEM;
    }
    f->priv = t;
    f->ops = &g_text_ops;
    return 0;
}

/* Attributes cannot be changed, but truncating (O_TRUNC of a shell's `>`) does no harm. */
static int pseudo_setattr(struct inode *inode, const struct iattr *attr)
{
    if ((attr->valid & ATTR_SIZE) != 0) {
        return 0;
    }
    if (S_ISCHR(inode->mode)) {
        inode_setattr_copy(inode, attr);
        return 0;
    }
    return -EPERM;
}

static const struct inode_ops g_pseudo_dir_ops = {
    .lookup = pseudo_lookup,
    .readdir = pseudo_readdir,
    .setattr = pseudo_setattr,
    .open = pseudo_open,
    .evict = pseudo_evict,
};
static const struct inode_ops g_pseudo_file_ops = {
    .setattr = pseudo_setattr,
    .open = pseudo_open,
    .evict = pseudo_evict,
};
static const struct inode_ops g_pseudo_link_ops = {
    .readlink = pseudo_readlink,
    .setattr = pseudo_setattr,
    .evict = pseudo_evict,
};
static const struct inode_ops g_pseudo_magic_ops = {
    .magic_link = pseudo_magic_link,
    .setattr = pseudo_setattr,
    .evict = pseudo_evict,
};

static int pseudo_statfs(struct superblock *sb, struct kstatfs *ret)
{
    *ret = (struct kstatfs){.magic = sb->magic, .bsize = NACRE_PAGE_SIZE, .namelen = 255};
    return 0;
}

static const struct super_ops g_pseudo_super_ops = {.statfs = pseudo_statfs};

int pseudo_create(const char *type, uint64_t magic, const struct pseudo_entry *root, uint32_t flags,
                  struct superblock **ret)
{
    struct superblock *sb = super_alloc(type, &g_pseudo_super_ops, flags);

    if (sb == NULL) {
        return -ENOMEM;
    }
    sb->magic = magic;
    int r = pseudo_inode_new(sb, root, root->arg, &sb->root);

    if (r < 0) {
        kfree(sb);
        return r;
    }
    *ret = sb;
    return 0;
}
