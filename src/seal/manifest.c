/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "seal/manifest.h"

#include "core/path.h"

static bool all_zero(const uint8_t *p, size_t size)
{
    uint8_t any = 0;

    for (size_t i = 0; i < size; i++) {
        any |= p[i];
    }
    return any == 0;
}

/* Steps over a string of 1 to `max` bytes and its NUL. */
static int take_text(struct cursor *c, size_t max, const char **ret)
{
    const uint8_t *p;
    size_t n = 0;

    while (n < c->left && c->p[n] != '\0') {
        n++;
    }
    if (n == 0 || n > max || n == c->left || cursor_bytes(c, n + 1, &p) < 0) {
        return -EBADMSG;
    }
    *ret = (const char *)p;
    return 0;
}

static int compare(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return (int)(uint8_t)*a - (int)(uint8_t)*b;
}

static bool is_variable_name(const char *s)
{
    for (; *s != '\0'; s++) {
        if (*s == '=' || (uint8_t)*s < 0x21 || (uint8_t)*s > 0x7e) {
            return false;
        }
    }
    return true;
}

static int check_header(const struct manifest_header *h, size_t size)
{
    const struct {
        uint64_t flag;
        const uint8_t *field;
    } fields[] = {
        {MANIFEST_SEALED_ROOT, h->sealed_root}, {MANIFEST_AGENT, h->agent},
        {MANIFEST_CAS_KEY, h->cas_key},         {MANIFEST_CAS_MEASUREMENT, h->cas_measurement},
        {MANIFEST_SESSION, h->session},
    };

    if (__builtin_memcmp(h->magic, MANIFEST_MAGIC, MANIFEST_MAGIC_SIZE) != 0) {
        return -EBADMSG;
    }
    if (h->version != MANIFEST_VERSION || (h->flags & ~MANIFEST_FLAGS_KNOWN) != 0) {
        return -EPROTONOSUPPORT;
    }
    if (h->size != size || h->name_count > MANIFEST_NAMES_MAX ||
        h->mount_count > MANIFEST_MOUNTS_MAX || !all_zero(h->reserved, sizeof(h->reserved))) {
        return -EBADMSG;
    }
    if ((h->flags & MANIFEST_HOST_BELOW) != 0 && (h->flags & MANIFEST_SEALED_ROOT) == 0) {
        return -EBADMSG;
    }
    for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
        if (((h->flags & fields[i].flag) == 0) != all_zero(fields[i].field, MANIFEST_HASH_SIZE)) {
            return -EBADMSG;
        }
    }
    return 0;
}

static int check_names(struct cursor *c, uint32_t count)
{
    const char *before = "";

    for (uint32_t i = 0; i < count; i++) {
        const char *name;

        if (take_text(c, MANIFEST_NAME_MAX, &name) < 0 || !is_variable_name(name) ||
            compare(before, name) >= 0) {
            return -EBADMSG;
        }
        before = name;
    }
    return 0;
}

static int check_mounts(struct cursor *c, uint32_t count)
{
    const char *before = "";

    for (uint32_t i = 0; i < count; i++) {
        const char *path;
        uint8_t flags;

        if (cursor_u8(c, &flags) < 0 || (flags & ~MANIFEST_MOUNT_WRITABLE) != 0 ||
            take_text(c, MANIFEST_PATH_MAX, &path) < 0 || !path_is_clean(path) ||
            compare(before, path) >= 0) {
            return -EBADMSG;
        }
        before = path;
    }
    return 0;
}

int manifest_parse(const void *data, size_t size, struct manifest *ret)
{
    struct cursor c = cursor_make(data, size);
    struct cursor start;
    struct manifest m;
    int r;

    if (size > MANIFEST_SIZE_MAX || cursor_copy(&c, &m.header, sizeof(m.header)) < 0) {
        return -EBADMSG;
    }
    r = check_header(&m.header, size);
    start = c;
    r = r < 0 ? r : check_names(&c, m.header.name_count);
    m.names = cursor_make(start.p, start.left - c.left);
    start = c;
    r = r < 0 ? r : check_mounts(&c, m.header.mount_count);
    m.mounts = cursor_make(start.p, start.left - c.left);
    r = r < 0 ? r : cursor_done(&c);
    if (r < 0) {
        return r;
    }
    *ret = m;
    return 0;
}

int manifest_next_name(struct cursor *names, const char **ret)
{
    return names->left > 0 && take_text(names, MANIFEST_NAME_MAX, ret) == 0;
}

int manifest_next_mount(struct cursor *mounts, uint8_t *ret_flags, const char **ret_path)
{
    return mounts->left > 0 && cursor_u8(mounts, ret_flags) == 0 &&
           take_text(mounts, MANIFEST_PATH_MAX, ret_path) == 0;
}

bool manifest_allows_name(const struct manifest *m, const char *name, size_t size)
{
    struct cursor c = m->names;
    const char *have;

    while (manifest_next_name(&c, &have) > 0) {
        if (__builtin_strlen(have) == size && __builtin_memcmp(have, name, size) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- writing ---- */

struct writer {
    uint8_t *dst;
    size_t cap;
    size_t size;
    bool full;
};

static void put(struct writer *w, const void *src, size_t size)
{
    if (w->full || size > w->cap - w->size) {
        w->full = true;
        return;
    }
    __builtin_memcpy(w->dst + w->size, src, size);
    w->size += size;
}

int manifest_encode(const struct manifest_header *header, const char *const *names,
                    size_t name_count, const struct manifest_mount *mounts, size_t mount_count,
                    uint8_t *dst, size_t cap, size_t *ret_size)
{
    struct writer w = {.dst = dst, .cap = MIN(cap, (size_t)MANIFEST_SIZE_MAX)};
    struct manifest_header h = *header;
    struct manifest check;

    if (name_count > MANIFEST_NAMES_MAX || mount_count > MANIFEST_MOUNTS_MAX) {
        return -EINVAL;
    }
    __builtin_memcpy(h.magic, MANIFEST_MAGIC, MANIFEST_MAGIC_SIZE);
    h.version = MANIFEST_VERSION;
    h.name_count = (uint32_t)name_count;
    h.mount_count = (uint32_t)mount_count;
    put(&w, &h, sizeof(h));
    for (size_t i = 0; i < name_count; i++) {
        put(&w, names[i], __builtin_strlen(names[i]) + 1);
    }
    for (size_t i = 0; i < mount_count; i++) {
        put(&w, &mounts[i].flags, 1);
        put(&w, mounts[i].path, __builtin_strlen(mounts[i].path) + 1);
    }
    if (w.full) {
        return -ENOSPC;
    }
    h.size = (uint32_t)w.size;
    __builtin_memcpy(dst, &h, sizeof(h));
    if (manifest_parse(dst, w.size, &check) < 0) {
        return -EINVAL;
    }
    *ret_size = w.size;
    return 0;
}
