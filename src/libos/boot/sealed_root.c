/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/boot/sealed_root.h"

#include "core/aead.h"
#include "core/ct.h"
#include "core/hex.h"
#include "libos/boot/boot.h"
#include "libos/fs/hostfs/hostfs.h"
#include "libos/fs/sealed/sealed.h"
#include "libos/fs/union/union.h"
#include "libos/host/host_mem.h"
#include "libos/lib/str.h"
#include "seal/manifest.h"

#define XFRM_AVX    0x6u
#define XFRM_AVX512 0xe6u

/*
 * How wide AES-GCM may be: what the host says the processor has, as far as the vector state of this
 * enclave goes. A host that says too much gets #UD, which ends the enclave; it learns nothing.
 */
void boot_choose_vector_width(void)
{
    const char *hint = boot_option("aead");
    uint64_t level = AEAD_SSE;
    uint32_t lo;
    uint32_t hi;

    __asm__("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    if (hint == NULL || !str_to_u64(hint, str_len(hint), &level)) {
        return;
    }
    if (level >= AEAD_AVX512 && (lo & XFRM_AVX512) == XFRM_AVX512) {
        aead_set_level(AEAD_AVX512);
    } else if (level >= AEAD_AVX2 && (lo & XFRM_AVX) == XFRM_AVX) {
        aead_set_level(AEAD_AVX2);
    }
}

/* 64 hexadecimal digits; false when the option is missing. */
static int take_hex32(const char *name, uint8_t ret[static 32], bool *ret_given)
{
    const char *text = boot_option(name);

    *ret_given = text != NULL;
    if (text == NULL) {
        return 0;
    }
    return hex_decode(ret, 32, text, str_len(text)) < 0 ? -EINVAL : 0;
}

static uint64_t cache_max(void)
{
    const char *text = boot_option("sealed-cache");
    uint64_t bytes;

    if (text != NULL && str_to_u64(text, str_len(text), &bytes) && bytes != 0) {
        return bytes;
    }
    return sealed_default_cache(g_boot.params.memory_limit);
}

/* The key was in the launch parameters: not for longer than needed in our copy. */
static void forget_option(const char *name)
{
    const char *text = boot_option(name);

    if (text != NULL) {
        ct_wipe((void *)(uintptr_t)text, str_len(text));
    }
}

int boot_manifest(const void *data, size_t size, struct manifest *ret, bool *ret_have)
{
    int r;

    *ret_have = size != 0;
    if (size == 0) {
        return 0;
    }
    r = manifest_parse(data, size, ret);
    if (r < 0) {
        libos_log(LOG_ERROR, "the measured manifest is not one this library OS reads");
        return r;
    }
    return 0;
}

int boot_sealed_open(int fd, const uint8_t *key, const uint8_t *root, struct superblock **ret)
{
    int r = host_fd_opened(fd);

    if (r < 0) {
        return r;
    }
    r = sealed_create(
        &(struct sealed_options){.fd = fd, .key = key, .root = root, .cache_max = cache_max()},
        ret);
    if (r < 0) {
        host_fd_closed(fd); /* the number, so that it may be offered again */
    }
    return r;
}

int boot_sealed_root(const struct manifest *m, struct superblock **ret)
{
    const bool pinned = m != NULL && (m->header.flags & MANIFEST_SEALED_ROOT) != 0;
    const char *fd_text = boot_option("sealed-fd");
    uint8_t key[SEALED_KEY_SIZE];
    uint8_t root[SEALED_HASH_SIZE];
    bool have_key;
    bool have_root;
    uint64_t fd;
    int r;

    if (fd_text == NULL) {
        return pinned ? -ENOENT : 0; /* never another root than the pinned one */
    }
    if (!str_to_u64(fd_text, str_len(fd_text), &fd) || fd >= HOST_FD_MAX) {
        return -EINVAL;
    }
    r = take_hex32("sealed-key", key, &have_key);
    if (r == 0) {
        r = take_hex32("sealed-root", root, &have_root);
    }
    if (r == 0 && pinned) {
        __builtin_memcpy(root, m->header.sealed_root, sizeof(root));
        have_root = true;
    }
    if (r == 0 && !have_key) {
        r = -ENOKEY;
    }
    if (r == 0) {
        r = boot_sealed_open((int)fd, key, have_root ? root : NULL, ret);
    }
    forget_option("sealed-key");
    ct_wipe(key, sizeof(key));
    return r;
}

int boot_host_below(struct superblock **root)
{
    struct superblock *below = NULL;
    int r = g_boot.root_fd < 0 ? -ENOENT : host_fd_opened(g_boot.root_fd);

    if (r >= 0) {
        r = hostfs_create(g_boot.root_fd, /*writable=*/false, &below);
    }
    if (r == 0) {
        r = union_create(*root, below, root);
        if (r < 0) {
            super_free(below);
        }
    }
    if (r < 0) {
        libos_log(LOG_ERROR, "the host directory below the sealed root cannot be used: error %d",
                  -r);
    }
    return r;
}
