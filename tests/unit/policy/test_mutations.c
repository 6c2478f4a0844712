/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The fuzz target's promises on damaged copies of the golden documents: bytes changed, cut out,
 * doubled and swapped between two documents. Deterministic; the fuzzer goes further.
 */

#include "unit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "core/types.h"

#define DOCS_MAX     512
#define DOC_SIZE_MAX 8192
#define ROUNDS       100

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct doc {
    uint8_t *p;
    size_t size;
};

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static size_t load_all(struct doc *docs)
{
    _cleanup_free_ char *folder = NULL;
    size_t count = 0;
    struct dirent *e;
    DIR *dir;

    assert_true(asprintf(&folder, "%s/tests/vectors/policy", getenv("NACRE_SOURCE_ROOT")) > 0);
    dir = opendir(folder);
    assert_non_null(dir);
    while ((e = readdir(dir)) != NULL && count < DOCS_MAX) {
        _cleanup_free_ char *path = NULL;

        if (strstr(e->d_name, ".yml") == NULL) {
            continue;
        }
        assert_true(asprintf(&path, "%s/%s", folder, e->d_name) > 0);
        assert_int_equal(fs_read_file(path, 1 << 20, &docs[count].p, &docs[count].size, NULL), 0);
        count++;
    }
    closedir(dir);
    return count;
}

static size_t mutate(const struct doc *a, const struct doc *b, uint32_t *seed, uint8_t *out)
{
    static const char *const pieces[] = {"$$SCONE::a$$", "&a ", "*a",     "[", "{",
                                         "\n  - ",       ": ",  "|\n",    "~", "'",
                                         "\"",           "$X",  "\n$X\n", "#", "\t"};
    size_t size = MIN(a->size, (size_t)DOC_SIZE_MAX);
    const uint32_t kind = next_random(seed) % 4;
    const size_t at = size > 0 ? next_random(seed) % size : 0;
    const char *piece = pieces[next_random(seed) % ARRAY_COUNT(pieces)];

    out[0] = (uint8_t)next_random(seed);
    memcpy(out + 1, a->p, size);
    if (kind == 0 && size > 0) {
        out[1 + at] = (uint8_t)next_random(seed);
    } else if (kind == 1) {
        size_t cut = MIN((size_t)(next_random(seed) % 40), size - at);

        memmove(out + 1 + at, out + 1 + at + cut, size - at - cut);
        size -= cut;
    } else if (kind == 2) {
        memmove(out + 1 + at + strlen(piece), out + 1 + at, size - at);
        memcpy(out + 1 + at, piece, strlen(piece));
        size += strlen(piece);
    } else if (b->size > 0) {
        const size_t from = next_random(seed) % b->size;
        const size_t room = DOC_SIZE_MAX - at;
        const size_t take = MIN(b->size - from, room);

        memcpy(out + 1 + at, b->p + from, take);
        size = at + take;
    }
    return size + 1;
}

static void test_mutations_never_break_the_promises(void **state)
{
    static uint8_t out[2 * DOC_SIZE_MAX + 64];
    static struct doc docs[DOCS_MAX];
    const size_t count = load_all(docs);
    uint32_t seed = 20261122;

    assert_true(count >= 100);
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < count; i++) {
            const size_t size = mutate(&docs[i], &docs[next_random(&seed) % count], &seed, out);

            assert_int_equal(LLVMFuzzerTestOneInput(out, size), 0);
        }
    }
    for (size_t i = 0; i < count; i++) {
        free(docs[i].p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mutations_never_break_the_promises),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
