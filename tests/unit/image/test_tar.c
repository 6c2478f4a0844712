/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "image/tar.h"

/* A tar made in memory, read in pieces of any size. */
struct stream {
    uint8_t data[16384];
    size_t size;
    size_t at;
    size_t piece;
};

static int read_piece(void *ctx, const uint8_t **ret, size_t *ret_size, struct error **err)
{
    struct stream *s = ctx;
    const size_t n = MIN(s->piece, s->size - s->at);

    *ret = s->data + s->at;
    *ret_size = n;
    s->at += n;
    return 0;
}

static void seal_header(uint8_t *h)
{
    unsigned sum = 0;

    memset(h + 148, ' ', 8);
    for (size_t i = 0; i < 512; i++) {
        sum += h[i];
    }
    (void)snprintf((char *)h + 148, 8, "%06o", sum);
}

static uint8_t *add_header(struct stream *s, const char *name, char type, size_t size)
{
    uint8_t *h = s->data + s->size;
    char *c = (char *)h;

    memset(h, 0, 512);
    (void)snprintf(c, 100, "%s", name);
    (void)snprintf(c + 100, 8, "0000644");
    (void)snprintf(c + 108, 8, "0000001");
    (void)snprintf(c + 116, 8, "0000002");
    (void)snprintf(c + 124, 12, "%011o", (unsigned)size);
    (void)snprintf(c + 136, 12, "00000000005");
    h[156] = (uint8_t)type;
    memcpy(h + 257, "ustar\00000", 8);
    seal_header(h);
    s->size += 512;
    return h;
}

static void add_data(struct stream *s, const void *data, size_t size)
{
    memcpy(s->data + s->size, data, size);
    s->size += (size + 511) / 512 * 512;
}

static void add_pax(struct stream *s, const char *records)
{
    (void)add_header(s, "pax", 'x', strlen(records));
    add_data(s, records, strlen(records));
}

/* Reads the first entry; the reader is left open in *ret. */
static int first(struct stream *s, size_t piece, struct tar_reader **ret, struct tar_entry **e,
                 struct error **err)
{
    s->at = 0;
    s->piece = piece;
    assert_int_equal(tar_reader_new(read_piece, s, ret, NULL), 0);
    return tar_next(*ret, e, err);
}

static void test_tar_numbers_in_base_256(void **state)
{
    struct stream s = {0};
    _cleanup_tar_reader_ struct tar_reader *t = NULL;
    struct tar_entry *e;
    uint8_t *h = add_header(&s, "f", '0', 0);

    memset(h + 136, 0xff, 12);                      /* mtime -1 */
    memcpy(h + 108, "\x80\0\0\0\0\x0f\x42\x40", 8); /* uid 1000000 */
    seal_header(h);
    assert_int_equal(first(&s, 512, &t, &e, NULL), 1);
    assert_int_equal(e->mtime, -1);
    assert_int_equal(e->uid, 1000000);
    assert_int_equal(e->gid, 2);
    assert_int_equal(tar_next(t, &e, NULL), 0);
}

static void test_tar_any_piece_size_reads_the_same(void **state)
{
    struct stream s = {0};
    uint8_t content[1000];

    memset(content, 'c', sizeof(content));
    add_pax(&s, "14 path=a/b/c\n13 mtime=7.5\n25 SCHILY.xattr.user.k=v\n"
                "32 LIBARCHIVE.xattr.user.l=dmFs\n");
    (void)add_header(&s, "short", '0', sizeof(content));
    add_data(&s, content, sizeof(content));
    (void)add_header(&s, "next", '5', 0);
    for (size_t piece = 1; piece < 1100; piece += piece < 4 ? 1 : 173) {
        _cleanup_tar_reader_ struct tar_reader *t = NULL;
        _cleanup_error_ struct error *err = NULL;
        struct tar_entry *e;
        const uint8_t *p;
        uint64_t n;
        uint64_t total = 0;

        if (first(&s, piece, &t, &e, &err) != 1) {
            fail_msg("piece %zu: %s", piece, error_text(err));
        }
        assert_string_equal(e->path, "a/b/c");
        assert_int_equal(e->mtime, 7);
        assert_int_equal(e->mtime_nsec, 500000000);
        assert_int_equal(e->xattrs.size, 2 * 4 + 2 + 4);
        while (tar_data(t, &p, &n, NULL) == 1) {
            assert_memory_equal(p, content, n);
            total += n;
        }
        assert_int_equal(total, sizeof(content));
        assert_int_equal(tar_next(t, &e, NULL), 1);
        assert_int_equal(e->type, '5');
        assert_int_equal(tar_next(t, &e, NULL), 0);
    }
}

static void test_tar_malformed_extended_headers_are_refused(void **state)
{
    static const char *const records[] = {
        "9 path=ab",   /* no line end */
        "99 path=a\n", /* longer than the header */
        "0 path=a\n",  /* length too short */
        "x path=a\n",  /* no length */
        "9path=ab\n",  /* no space */
        "8 path\na\n", /* no '=' */
        "5 =a\n",      /* no key */
        "99999999999999999999999 p=a\n",
        "11 size=-1\n",
        "11 size=1x\n",
        "29 size=99999999999999999999\n",
        "18 uid=4294967295\n",
        "11 gid=abc\n",
        "13 mtime=1.x\n",
        "10 mtime=\n",
        "32 LIBARCHIVE.xattr.user.l=d*Fs\n",
        "22 GNU.sparse.major=2\n",
        "25 GNU.sparse.numbytes=1\n",
        "24 GNU.sparse.map=1,2,3\n",
    };

    for (size_t i = 0; i < ARRAY_COUNT(records); i++) {
        struct stream s = {0};
        _cleanup_tar_reader_ struct tar_reader *t = NULL;
        _cleanup_error_ struct error *err = NULL;
        struct tar_entry *e;

        add_pax(&s, records[i]);
        (void)add_header(&s, "f", '0', 0);
        if (first(&s, 512, &t, &e, &err) != -EBADMSG) {
            fail_msg("accepted: %s", records[i]);
        }
        assert_non_null(err);
    }
}

static void test_tar_lying_sparse_maps_are_refused(void **state)
{
    /* real size 100, stored 20 */
    static const char *const maps[] = {
        "0,10,5,10",  /* overlapping */
        "50,10,0,10", /* descending */
        "0,10,95,10", /* beyond the end */
        "0,10",       /* less than stored */
        "0,10,20,20", /* more than stored */
        "0,18446744073709551615,1,1",
    };

    for (size_t i = 0; i <= ARRAY_COUNT(maps); i++) {
        const char *map = i < ARRAY_COUNT(maps) ? maps[i] : "0,10,90,10"; /* the honest one */
        struct stream s = {0};
        _cleanup_tar_reader_ struct tar_reader *t = NULL;
        struct tar_entry *e;
        char map_record[100];
        char records[300];
        const uint8_t *p;
        uint64_t n;
        int length;

        length = snprintf(map_record, sizeof(map_record), "NN GNU.sparse.map=%s\n", map);
        (void)snprintf(records, sizeof(records), "27 GNU.sparse.realsize=100\n%d%s", length,
                       map_record + 2);
        add_pax(&s, records);
        (void)add_header(&s, "f", '0', 20);
        add_data(&s, "aaaaaaaaaabbbbbbbbbb", 20);
        assert_int_equal(first(&s, 512, &t, &e, NULL), i < ARRAY_COUNT(maps) ? -EBADMSG : 1);
        if (i == ARRAY_COUNT(maps)) {
            assert_int_equal(e->size, 100);
            assert_int_equal(tar_data(t, &p, &n, NULL), 1);
            assert_memory_equal(p, "aaaaaaaaaa", 10);
            assert_int_equal(tar_data(t, &p, &n, NULL), 1);
            assert_null(p);
            assert_int_equal(n, 80);
            assert_int_equal(tar_data(t, &p, &n, NULL), 1);
            assert_memory_equal(p, "bbbbbbbbbb", 10);
            assert_int_equal(tar_data(t, &p, &n, NULL), 0);
        }
    }
}

static void test_tar_every_cut_is_noticed_or_is_a_border(void **state)
{
    struct stream whole = {0};

    (void)add_header(&whole, "one", '0', 700);
    add_data(&whole, (uint8_t[700]){0}, 700);
    (void)add_header(&whole, "two", '0', 0);
    for (size_t size = 0; size < whole.size; size++) {
        struct stream s = whole;
        _cleanup_tar_reader_ struct tar_reader *t = NULL;
        struct tar_entry *e;
        int r;

        s.size = size;
        r = first(&s, 4096, &t, &e, NULL);
        if (r == 1) {
            r = tar_next(t, &e, NULL);
        }
        assert_int_equal(r, size == 0 || size == 1536 ? 0 : -EBADMSG);
    }
}

static void test_tar_every_header_byte_is_under_the_checksum(void **state)
{
    for (size_t i = 0; i < 512; i++) {
        struct stream s = {0};
        _cleanup_tar_reader_ struct tar_reader *t = NULL;
        struct tar_entry *e;
        uint8_t *h = add_header(&s, "name", '0', 0);

        h[i] ^= 0x01;
        assert_int_equal(first(&s, 512, &t, &e, NULL), -EBADMSG);
    }
}

static void test_tar_unknown_types_are_refused(void **state)
{
    for (int type = 1; type < 256; type++) {
        struct stream s = {0};
        _cleanup_tar_reader_ struct tar_reader *t = NULL;
        struct tar_entry *e;
        const bool known = strchr("01234567DSxXgLKV", type) != NULL;

        (void)add_header(&s, "name", (char)type, 0);
        assert_true((first(&s, 512, &t, &e, NULL) >= 0) == known);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tar_numbers_in_base_256),
        cmocka_unit_test(test_tar_any_piece_size_reads_the_same),
        cmocka_unit_test(test_tar_malformed_extended_headers_are_refused),
        cmocka_unit_test(test_tar_lying_sparse_maps_are_refused),
        cmocka_unit_test(test_tar_every_cut_is_noticed_or_is_a_border),
        cmocka_unit_test(test_tar_every_header_byte_is_under_the_checksum),
        cmocka_unit_test(test_tar_unknown_types_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
