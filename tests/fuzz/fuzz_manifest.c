/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Manifests. What parses has one encoding: writing what was read gives the same bytes. The first
 * byte says what is made right again, so that the fuzzer reaches what lies behind each check:
 * 1 magic and version, 2 size, 4 fields of clear flags and reserved bytes.
 */

#include <string.h>

#include "fuzz/fuzz.h"
#include "seal/manifest.h"

static void repair(uint8_t *p, size_t size, uint8_t how)
{
    struct manifest_header h;

    memcpy(&h, p, sizeof(h));
    if ((how & 1) != 0) {
        memcpy(h.magic, MANIFEST_MAGIC, MANIFEST_MAGIC_SIZE);
        h.version = MANIFEST_VERSION;
    }
    if ((how & 2) != 0) {
        h.size = (uint32_t)size;
    }
    if ((how & 4) != 0) {
        h.flags &= MANIFEST_FLAGS_KNOWN;
        memset(h.reserved, 0, sizeof(h.reserved));
        memset(h.sealed_root, (h.flags & MANIFEST_SEALED_ROOT) != 0, 32);
        memset(h.agent, (h.flags & MANIFEST_AGENT) != 0, 32);
        memset(h.cas_key, (h.flags & MANIFEST_CAS_KEY) != 0, 32);
        memset(h.cas_measurement, (h.flags & MANIFEST_CAS_MEASUREMENT) != 0, 32);
        memset(h.session, (h.flags & MANIFEST_SESSION) != 0, 32);
    }
    memcpy(p, &h, sizeof(h));
}

static void check_parsed(const uint8_t *data, size_t size, const struct manifest *m)
{
    static const char *names[MANIFEST_NAMES_MAX];
    static struct manifest_mount mounts[MANIFEST_MOUNTS_MAX];
    static uint8_t again[MANIFEST_SIZE_MAX];
    struct cursor c = m->names;
    size_t name_count = 0;
    size_t mount_count = 0;
    size_t written;

    FUZZ_CHECK(m->header.name_count <= MANIFEST_NAMES_MAX &&
               m->header.mount_count <= MANIFEST_MOUNTS_MAX);
    while (name_count < m->header.name_count) {
        FUZZ_CHECK(manifest_next_name(&c, &names[name_count]) == 1);
        FUZZ_CHECK(manifest_allows_name(m, names[name_count], strlen(names[name_count])));
        FUZZ_CHECK(strchr(names[name_count], '=') == NULL);
        name_count++;
    }
    FUZZ_CHECK(manifest_next_name(&c, &names[0]) == 0 || name_count == 0);
    c = m->mounts;
    while (mount_count < m->header.mount_count) {
        FUZZ_CHECK(manifest_next_mount(&c, &mounts[mount_count].flags, &mounts[mount_count].path) ==
                   1);
        FUZZ_CHECK(mounts[mount_count].path[0] == '/');
        mount_count++;
    }
    c = m->names; /* the walk above may have overwritten its first entry */
    for (size_t i = 0; i < name_count; i++) {
        FUZZ_CHECK(manifest_next_name(&c, &names[i]) == 1);
    }
    FUZZ_CHECK(manifest_encode(&m->header, names, name_count, mounts, mount_count, again,
                               sizeof(again), &written) == 0);
    FUZZ_CHECK(written == size && memcmp(again, data, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct manifest m;
    uint8_t *copy; /* of its exact size, so that a sanitizer sees a read behind it */

    if (size == 0) {
        return 0;
    }
    copy = malloc(size);
    if (copy == NULL) {
        return 0;
    }
    memcpy(copy, data + 1, size - 1);
    if (size - 1 >= sizeof(struct manifest_header)) {
        repair(copy, size - 1, data[0]);
    }
    if (manifest_parse(copy, size - 1, &m) == 0) {
        check_parsed(copy, size - 1, &m);
    }
    free(copy);
    return 0;
}
