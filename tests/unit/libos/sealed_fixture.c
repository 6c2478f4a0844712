/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit/libos/sealed_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "image/erofs_fixture.h"
#include "image/holes.h"
#include "image/seal_write.h"
#include "libos/fs/dirindex.h"
#include "libos/lib/uapi.h"
#include "unit/unit.h"

#define MANY_NAMES 700u /* several directory blocks */

static void make_tree(struct img_tree *t, uint64_t big)
{
    uint32_t dir, many, file, entry;
    char name[32];

    assert_int_equal(img_tree_init(t, NULL), 0);
    dir = tree_add(t, IMG_ROOT, "etc", 0040755, 0);
    file = tree_add(t, dir, "passwd", 0100644, 1234);
    tree_add_xattr(t, file, "user.colour", "blue", 4);
    tree_add_xattr(t, file, "trusted.hidden", "x", 1);
    (void)tree_add(t, dir, "empty", 0100600, 0);
    (void)tree_add(t, dir, "page", 0100600, 4096);
    (void)tree_add(t, dir, "page-and-one", 0100600, 4097);
    (void)tree_add(t, dir, "tail", 0104755, 3 * 4096 + 700);
    (void)tree_add_link(t, dir, "link", "../etc/passwd");
    (void)tree_add(t, dir, "fifo", 0010644, 0);
    (void)tree_add(t, dir, "null", 0020666, 0);
    assert_int_equal(img_tree_link(t, IMG_ROOT, "second-name", 11, img_entry_at(t, file)->inode, 1,
                                   &entry, NULL),
                     0);
    many = tree_add(t, IMG_ROOT, "many", 0040755, 0);
    for (uint32_t i = 0; i < MANY_NAMES; i++) {
        (void)snprintf(name, sizeof(name), "entry-%05u", i * 37 % MANY_NAMES);
        (void)tree_add(t, many, name, 0100644, i % 5 == 0 ? i : 0);
    }
    (void)tree_add(t, IMG_ROOT, "big", 0100644, big);
}

static void seal_image(struct sealed_image *s, const struct mem_image *m)
{
    _cleanup_seal_writer_ struct seal_writer *w = NULL;
    static const uint8_t salt[SEALED_SALT_SIZE] = {0x5a};

    s->blocks = m->blocks;
    assert_int_equal(seal_writer_new(s->path, m->blocks, s->key, salt, &w, NULL), 0);
    assert_int_equal(seal_writer_put(w, 0, m->data, m->blocks, NULL), 0);
    assert_int_equal(seal_writer_finish(w, s->root, NULL), 0);
    assert_int_equal(fs_read_file(s->path, 1u << 30, &s->data, &s->size, NULL), 0);
    assert_int_equal(unlink(s->path), 0);
}

void sealed_image_make(struct sealed_image *s, uint64_t big, uint8_t seed)
{
    struct mem_image m;

    *s = (struct sealed_image){.key = {seed, 1, 2}};
    (void)snprintf(s->path, sizeof(s->path), "/tmp/nacre-test-sealed-%d-%u", getpid(), seed);
    make_tree(&s->tree, big);
    write_image(&s->tree, &m);
    seal_image(s, &m);
    mem_image_done(&m);
}

void sealed_image_done(struct sealed_image *s)
{
    img_tree_done(&s->tree);
    free(s->data);
}

int sealed_image_open(struct sealed_image *s, size_t size, const uint8_t *key, const uint8_t *root,
                      uint64_t cache, int *ret_fd, struct superblock **ret)
{
    char path[] =
        "/tmp/nacre-test-sealed-XXXXXX"; /* open(2) has another header than the library OS */
    int fd = mkstemp(path);
    int r;

    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(write(fd, s->data, size), size);
    r = sealed_create(
        &(struct sealed_options){.fd = fd, .key = key, .root = root, .cache_max = cache}, ret);
    if (r < 0 || ret_fd == NULL) {
        close(fd); /* the mapping stays */
    } else {
        *ret_fd = fd;
    }
    return r;
}

struct inode *sealed_find(struct superblock *sb, const char *path)
{
    struct inode *dir = inode_get(sb->root);

    while (*path != '\0') {
        const size_t n = strcspn(path, "/");
        const struct qstr name = qstr_make(path, n);
        struct inode *next = NULL;
        int r = dir->ops->lookup(dir, &name, &next);

        inode_put(dir);
        if (r < 0) {
            return NULL;
        }
        dir = next;
        path += n + (path[n] == '/');
    }
    return dir;
}

/* ---- walking ---- */

static bool count_error(struct walk_result *w, int64_t r)
{
    if (r >= 0) {
        return false;
    }
    if (r == -EIO) {
        w->errors++;
    } else if (r == -ENOMEM) {
        w->no_memory++;
    } else {
        fail_msg("unexpected error %ld", (long)r);
    }
    return true;
}

static void walk_data(struct sealed_image *s, const struct img_inode *i, struct inode *inode,
                      struct walk_result *w)
{
    static uint8_t want[50000];
    static uint8_t got[50000];

    for (uint64_t at = 0; at < i->size;) {
        struct iter it;
        int64_t n;

        iter_init_kernel(&it, got, sizeof(got));
        n = inode->ops->read(inode, &it, at);
        if (count_error(w, n)) {
            at += 4096; /* the next block may be good */
            continue;
        }
        assert_true(n > 0 && (uint64_t)n <= i->size - at);
        file_pattern(&s->tree, i, at, want, (size_t)n);
        assert_memory_equal(got, want, n);
        w->good_bytes += (uint64_t)n;
        at += (uint64_t)n;
    }
}

struct listing {
    struct dir_context ctx;
    uint64_t names;
    uint64_t room;
};

static bool list_one(struct dir_context *ctx, const char *name, size_t len, uint64_t ino,
                     uint8_t type, uint64_t next)
{
    struct listing *l = container_of(ctx, struct listing, ctx);

    assert_true(len > 0 && ino != 0 && next > ctx->pos);
    if (l->room == 0) {
        return false;
    }
    l->room--;
    l->names++;
    return true;
}

static void walk_directory(struct sealed_image *s, uint32_t entry, struct inode *inode,
                           struct walk_result *w)
{
    struct listing l = {.ctx.emit = list_one};
    uint64_t children = 0;

    for (uint32_t c = img_entry_at(&s->tree, entry)->first; c != IMG_NONE;
         c = img_entry_at(&s->tree, c)->next) {
        children++;
    }
    for (uint64_t before = UINT64_MAX; l.names != before;) {
        before = l.names;
        l.room = 100; /* in several calls, as getdents does */
        if (count_error(w, inode->ops->readdir(inode, &l.ctx))) {
            return;
        }
    }
    assert_int_equal(l.names, children);
}

static void walk_link(struct sealed_image *s, const struct img_inode *i, struct inode *inode,
                      struct walk_result *w)
{
    char got[4096];
    int n = inode->ops->readlink(inode, got, sizeof(got));

    if (!count_error(w, n)) {
        assert_int_equal(n, i->size);
        assert_memory_equal(got, img_arena(&s->tree, i->target), n);
    }
}

static void walk_inode(struct sealed_image *s, uint32_t entry, struct inode *inode,
                       struct walk_result *w)
{
    const struct img_inode *i = img_inode_of(&s->tree, entry);

    w->files++;
    assert_int_equal(inode->mode, i->mode);
    assert_int_equal(inode->uid, i->uid);
    assert_int_equal(inode->gid, i->gid);
    assert_int_equal(inode->mtime.sec, i->mtime);
    assert_int_equal(inode->mtime.nsec, i->mtime_nsec);
    assert_int_equal(inode->rdev, i->rdev);
    if (img_is_reg(i)) {
        assert_int_equal(inode->size, i->size);
        assert_int_equal(inode->nlink, i->links);
        walk_data(s, i, inode, w);
    } else if (img_is_lnk(i)) {
        walk_link(s, i, inode, w);
    } else if (img_is_dir(i)) {
        walk_directory(s, entry, inode, w);
    }
}

void sealed_walk(struct sealed_image *s, struct superblock *sb, struct walk_result *ret)
{
    struct inode **inodes = calloc(s->tree.entry_count, sizeof(*inodes));

    assert_non_null(inodes);
    *ret = (struct walk_result){0};
    inodes[IMG_ROOT] = inode_get(sb->root);
    for (uint32_t e = IMG_ROOT; e != IMG_NONE; e = img_tree_next(&s->tree, e)) {
        const struct img_entry *en = img_entry_at(&s->tree, e);
        const char *text = (const char *)img_arena(&s->tree, en->name);
        struct inode *dir = inodes[en->parent];

        if (e != IMG_ROOT && dir != NULL) {
            const struct qstr name = qstr_make(text, en->name_size);

            (void)count_error(ret, dir->ops->lookup(dir, &name, &inodes[e]));
        }
        if (inodes[e] != NULL) {
            walk_inode(s, e, inodes[e], ret);
        }
    }
    for (uint32_t e = 0; e < s->tree.entry_count; e++) {
        inode_put(inodes[e]);
    }
    free(inodes);
}
