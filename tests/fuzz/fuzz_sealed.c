/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Sealed images. The first byte says how much of the superblock is made right again, so that the
 * fuzzer reaches what lies behind each check: 1 magic and version, 2 counts, 4 key id and MAC.
 * No block may come out unless its tag fits; no read may leave the file.
 */

#include <string.h>

#include "base/alloc.h"
#include "core/ct.h"
#include "fuzz/fuzz.h"
#include "seal/seal.h"

struct file {
    uint8_t *data;
    size_t size;
};

static const uint8_t key[SEALED_KEY_SIZE] = "the key of the fuzz target, 32 b";

static int read_at(void *ctx, uint64_t offset, void *dst, size_t size)
{
    const struct file *f = ctx;

    FUZZ_CHECK(offset <= f->size && size <= f->size - offset);
    memcpy(dst, f->data + offset, size);
    return 0;
}

static void repair(struct file *f, uint8_t how)
{
    struct sealed_superblock sb;
    struct seal_geometry g;
    struct seal_keys k;
    uint64_t blocks = f->size / 4096 > 3 ? f->size / 4096 - 3 : 1;

    memcpy(&sb, f->data, sizeof(sb));
    if ((how & 1) != 0) {
        memcpy(sb.magic, SEALED_MAGIC, SEALED_MAGIC_SIZE);
        sb.version = SEALED_VERSION;
        sb.cipher = SEALED_CIPHER_AES256_GCM;
        sb.hash = SEALED_HASH_SHA256;
        sb.block_shift = SEALED_BLOCK_SHIFT;
        sb.reserved0 = 0;
        memset(sb.reserved, 0, sizeof(sb.reserved));
    }
    if ((how & 2) != 0 && seal_geometry_make(blocks, &g) == 0) {
        sb.block_count = blocks;
        sb.tag_page_count = g.tag_page_count;
        sb.tree_page_count = g.tree_page_count;
        sb.file_size = g.file_size;
    }
    if ((how & 4) != 0) {
        seal_keys_init(&k, key);
        memcpy(sb.key_id, k.id, sizeof(sb.key_id));
        seal_superblock_mac(&k, &sb, sb.mac);
    }
    memcpy(f->data, &sb, sizeof(sb));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct seal_page pages[SEAL_PAGES_MIN];
    struct file f = {.size = size - (size > 0)};
    struct seal_reader r;
    uint8_t block[SEALED_BLOCK_SIZE];

    if (size < 1 + SEALED_BLOCK_SIZE) {
        return 0;
    }
    f.data = malloc(f.size);
    if (f.data == NULL) {
        return 0;
    }
    memcpy(f.data, data + 1, f.size);
    repair(&f, data[0]);
    memset(pages, 0, sizeof(pages));
    if (seal_open(&r, read_at, &f, f.size, key, NULL, pages, SEAL_PAGES_MIN) == 0) {
        (void)seal_verify_tree(&r);
        for (uint64_t i = 0; i < r.geometry.block_count && i < 64; i++) {
            const int code = seal_read_block(&r, i, block);

            FUZZ_CHECK(code == 0 || r.fault != SEAL_FAULT_NONE);
            FUZZ_CHECK(code == 0 || r.fault != SEAL_FAULT_BLOCK ||
                       ct_is_zero(block, sizeof(block)));
        }
        FUZZ_CHECK(seal_read_block(&r, r.geometry.block_count, block) == -EINVAL);
        seal_close(&r);
    }
    free(f.data);
    return 0;
}
