/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "image/erofs_fixture.h"

#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "image/erofs_emit.h"

static uint32_t g_source;

void mem_image_done(struct mem_image *m)
{
    free(m->data);
    free(m->written);
    *m = (struct mem_image){0};
}

static int mem_put(void *ctx, uint64_t block, const uint8_t *data, size_t count, struct error **err)
{
    struct mem_image *m = ctx;

    if (++m->puts == m->fail_at) {
        return error_set(err, ENOSPC, "the test's disk is full");
    }
    assert_true(block + count <= m->blocks);
    memcpy(m->data + block * 4096, data, count * 4096);
    for (size_t i = 0; i < count; i++) {
        m->written[block + i]++;
    }
    return 0;
}

struct img_sink mem_image_sink(struct mem_image *m)
{
    return (struct img_sink){.put = mem_put, .ctx = m};
}

static int mem_get(void *ctx, uint64_t block, const uint8_t **ret)
{
    const struct mem_image *m = ctx;

    assert_true(block < m->blocks);
    *ret = m->data + block * 4096;
    return 0;
}

const struct erofs_io mem_image_io = {.get = mem_get};

uint32_t tree_add(struct img_tree *t, uint32_t dir, const char *name, uint32_t mode, uint64_t size)
{
    struct img_inode *i;
    uint32_t inode;
    uint32_t entry;

    assert_int_equal(img_tree_new_inode(t, mode, &inode, NULL), 0);
    i = &t->inodes[inode];
    i->size = size;
    i->uid = 1000 + inode * 70001; /* needs more than 16 bits */
    i->gid = 5 + inode;
    i->mtime = inode % 3 == 0 ? -77 : 1700000000ll + inode;
    i->mtime_nsec = inode * 1001 % 1000000000;
    i->rdev = (mode & 0170000) == 0020000 || (mode & 0170000) == 0060000 ? 0x12345678 : 0;
    i->layer = 1;
    i->source = ++g_source;
    assert_int_equal(img_tree_link(t, dir, name, strlen(name), inode, 1, &entry, NULL), 0);
    return entry;
}

uint32_t tree_add_link(struct img_tree *t, uint32_t dir, const char *name, const char *target)
{
    uint32_t entry = tree_add(t, dir, name, 0120777, strlen(target));

    assert_int_equal(
        img_tree_store(t, target, strlen(target), &img_inode_of(t, entry)->target, NULL), 0);
    return entry;
}

void tree_add_xattr(struct img_tree *t, uint32_t entry, const char *name, const void *value,
                    size_t size)
{
    _cleanup_img_xattrs_ struct img_xattrs x = {0};
    struct img_inode *i = img_inode_of(t, entry);
    const uint8_t *p = i->xattrs == IMG_NONE ? NULL : t->arena + i->xattrs;
    uint32_t left = i->xattr_size;

    if (p != NULL) { /* take the packed set over */
        const uint8_t *start = p;

        for (left -= 12; left > 0;) {
            uint16_t value_size;
            size_t one;

            memcpy(&value_size, p + 2, 2);
            one = 4u + p[1] + value_size;
            p += one;
            left -= (uint32_t)(one + 3) & ~3u;
        }
        x.size = x.cap = (size_t)(p - start);
        x.data = malloc(x.size);
        assert_non_null(x.data);
        memcpy(x.data, start, x.size);
    }
    assert_int_equal(img_xattrs_add(&x, name, value, size, NULL), 0);
    assert_int_equal(img_xattrs_store(t, &x, img_entry_at(t, entry)->inode, NULL), 0);
}

void file_pattern(const struct img_tree *t, const struct img_inode *i, uint64_t offset,
                  uint8_t *dst, size_t size)
{
    for (size_t n = 0; n < size; n++) {
        const uint64_t at = offset + n;

        dst[n] = (uint8_t)((at * 131 + at / 4096 * 7 + i->source * 29) | 1);
        if (i->holes != IMG_NONE && !erofs_emit_chunk_present(t, i, at >> (12 + i->chunk_bits))) {
            dst[n] = 0;
        }
    }
}

static void write_files(struct img_tree *t, const struct erofs_plan *plan, struct erofs_writer *w)
{
    static uint8_t buf[70001];
    uint16_t layer;
    uint32_t source;

    for (uint32_t n = plan->first_file; n < plan->count; n++) {
        const struct img_inode *i = &t->inodes[plan->order[n]];
        const size_t step = 1 + i->source * 7919 % sizeof(buf);

        assert_true(erofs_writer_wants(w, &layer, &source));
        assert_int_equal(source, i->source);
        for (uint64_t at = 0; at < i->size; at += step) {
            const size_t take = (size_t)MIN((uint64_t)step, i->size - at);

            file_pattern(t, i, at, buf, take);
            assert_int_equal(erofs_writer_data(w, buf, take, NULL), 0);
        }
        assert_int_equal(erofs_writer_file_done(w, NULL), 0);
    }
    assert_false(erofs_writer_wants(w, &layer, &source));
}

void write_image(struct img_tree *t, struct mem_image *ret)
{
    _cleanup_erofs_plan_ struct erofs_plan plan = {0};
    _cleanup_erofs_writer_ struct erofs_writer *w = NULL;
    _cleanup_error_ struct error *err = NULL;

    if (erofs_plan_make(t, &plan, &err) < 0) {
        fail_msg("plan: %s", error_text(err));
    }
    *ret = (struct mem_image){.blocks = plan.block_count,
                              .data = malloc(plan.block_count * 4096),
                              .written = calloc(plan.block_count, 1)};
    assert_non_null(ret->data);
    assert_non_null(ret->written);
    assert_int_equal(erofs_writer_new(&plan, mem_image_sink(ret), &w, NULL), 0);
    write_files(t, &plan, w);
    assert_int_equal(erofs_writer_finish(w, NULL), 0);
    for (uint64_t i = 0; i < ret->blocks; i++) {
        assert_int_equal(ret->written[i], 1);
    }
}

static void compare_data(const struct erofs *fs, const struct img_tree *t,
                         const struct img_inode *i, const struct erofs_inode *in)
{
    static uint8_t want[65536];
    static uint8_t got[65536];
    size_t n;

    for (uint64_t at = 0; at < i->size; at += sizeof(got)) {
        const size_t take = (size_t)MIN((uint64_t)sizeof(got), i->size - at);

        file_pattern(t, i, at, want, take);
        assert_int_equal(erofs_read(fs, in, at, got, sizeof(got), &n), 0);
        assert_int_equal(n, take);
        assert_memory_equal(got, want, take);
    }
    assert_int_equal(erofs_read(fs, in, i->size, got, 1, &n), 0);
    assert_int_equal(n, 0);
}

static void compare_xattrs(const struct erofs *fs, const struct img_tree *t,
                           const struct img_inode *i, const struct erofs_inode *in)
{
    static const char *const prefix[] = {
        NULL, "user.",    "system.posix_acl_access", "system.posix_acl_default", "trusted.",
        NULL, "security."};
    const uint8_t *p = i->xattrs == IMG_NONE ? NULL : t->arena + i->xattrs;
    struct erofs_xattr x;
    uint64_t pos = 0;
    int r;

    assert_int_equal(in->xattr_size, i->xattr_size);
    while ((r = erofs_xattr_next(fs, in, &pos, &x)) > 0) {
        static uint8_t value[65536];
        const uint16_t value_size = (uint16_t)(p[2] | p[3] << 8);
        char name[512];
        size_t n;

        (void)snprintf(name, sizeof(name), "%s%.*s", prefix[p[0]], p[1], (const char *)p + 4);
        assert_string_equal(x.name, name);
        assert_int_equal(x.value_size, value_size);
        assert_int_equal(erofs_xattr_get(fs, in, name, value, sizeof(value), &n), 0);
        assert_int_equal(n, value_size);
        assert_memory_equal(value, p + 4 + p[1], n);
        p += 4u + p[1] + value_size;
    }
    assert_int_equal(r, 0);
}

static void compare_inode(const struct erofs *fs, const struct img_tree *t, uint32_t entry,
                          const struct erofs_inode *in)
{
    const struct img_inode *i = img_inode_of(t, entry);

    assert_int_equal(in->mode, i->mode);
    assert_int_equal(in->uid, i->uid);
    assert_int_equal(in->gid, i->gid);
    assert_int_equal(in->nlink, i->links);
    assert_int_equal(in->mtime, i->mtime);
    assert_int_equal(in->mtime_nsec, i->mtime_nsec);
    assert_int_equal(in->rdev, i->rdev);
    if (img_is_reg(i)) {
        assert_int_equal(in->size, i->size);
        compare_data(fs, t, i, in);
    } else if (img_is_lnk(i)) {
        char target[4096];
        size_t n;

        assert_int_equal(erofs_readlink(fs, in, target, sizeof(target), &n), 0);
        assert_int_equal(n, i->size);
        assert_memory_equal(target, t->arena + i->target, n);
    }
    compare_xattrs(fs, t, i, in);
}

/* The image's listing of a directory: exactly the tree's names plus the dots, ascending. */
static void compare_listing(const struct erofs *fs, const struct img_tree *t, uint32_t entry,
                            const struct erofs_inode *in)
{
    struct erofs_entry e;
    char last[256] = "";
    uint64_t pos = 0;
    size_t count = 0;
    size_t want = 2;

    while (erofs_readdir(fs, in, &pos, &e) > 0) {
        assert_true(count == 0 || strcmp(last, e.name) < 0);
        memcpy(last, e.name, sizeof(last));
        if (strcmp(e.name, ".") != 0 && strcmp(e.name, "..") != 0) {
            assert_int_not_equal(img_tree_child(t, entry, e.name, e.name_size), IMG_NONE);
        }
        count++;
    }
    for (uint32_t c = img_entry_at(t, entry)->first; c != IMG_NONE; c = img_entry_at(t, c)->next) {
        want++;
    }
    assert_int_equal(count, want);
}

void compare_image(const struct img_tree *t, struct mem_image *m)
{
    struct erofs fs;

    assert_int_equal(erofs_open(&fs, &mem_image_io, m, m->blocks), 0);
    for (uint32_t e = IMG_ROOT; e != IMG_NONE; e = img_tree_next(t, e)) {
        const struct img_entry *x = img_entry_at(t, e);
        const char *name = (const char *)t->arena + x->name;
        struct erofs_inode dir;
        struct erofs_inode in;
        enum erofs_file_type type;
        uint64_t nid;

        assert_int_equal(erofs_inode_read(&fs, img_inode_of(t, x->parent)->nid, &dir), 0);
        if (e != IMG_ROOT) {
            assert_int_equal(erofs_lookup(&fs, &dir, name, x->name_size, &nid, &type), 0);
            assert_int_equal(nid, img_inode_of(t, e)->nid);
        }
        assert_int_equal(erofs_inode_read(&fs, img_inode_of(t, e)->nid, &in), 0);
        compare_inode(&fs, t, e, &in);
        if (img_is_dir(img_inode_of(t, e))) {
            assert_int_equal(erofs_lookup(&fs, &in, "no such name", 12, &nid, &type), -ENOENT);
            assert_int_equal(erofs_lookup(&fs, &in, "..", 2, &nid, &type), 0);
            assert_int_equal(nid, dir.nid);
            compare_listing(&fs, t, e, &in);
        }
    }
}
