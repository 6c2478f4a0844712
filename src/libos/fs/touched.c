/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/fs/touched.h"

#include "libos/fs/fs_context.h"
#include "libos/host/report.h"
#include "libos/lib/kvprintf.h"
#include "libos/lib/str.h"
#include "libos/lib/sync.h"
#include "libos/libos.h"
#include "libos/mm/kmem.h"

#define FIRST_SLOTS 1024u
#define PATH_SIZE   4096u
#define LINE_SIZE   (6 * PATH_SIZE + 64)

struct touched {
    uint64_t hash;
    char type;
    char path[];
};

bool g_touched_on;
static struct mutex g_lock;
static struct touched **g_slots; /* open addressing, a power of two, at most half full */
static uint32_t g_slot_count;
static uint32_t g_used;
static uint64_t g_lost;

void touched_init(bool on)
{
    g_touched_on = on;
}

/* FNV-1a. */
static uint64_t hash_of(const char *text)
{
    uint64_t h = 0xcbf29ce484222325ull;

    for (; *text != '\0'; text++) {
        h = (h ^ (uint8_t)*text) * 0x100000001b3ull;
    }
    return h;
}

/* The slot of a path, or the free one where it belongs. */
static struct touched **slot_of(struct touched **slots, uint32_t count, uint64_t hash,
                                const char *path)
{
    uint32_t i = (uint32_t)hash & (count - 1);

    while (slots[i] != NULL && (slots[i]->hash != hash || !str_equal(slots[i]->path, path))) {
        i = (i + 1) & (count - 1);
    }
    return &slots[i];
}

static bool grow(void)
{
    const uint32_t count = g_slot_count == 0 ? FIRST_SLOTS : 2 * g_slot_count;
    struct touched **slots = kzalloc(count * sizeof(struct touched *));

    if (slots == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < g_slot_count; i++) {
        if (g_slots[i] != NULL) {
            *slot_of(slots, count, g_slots[i]->hash, g_slots[i]->path) = g_slots[i];
        }
    }
    kfree(g_slots);
    g_slots = slots;
    g_slot_count = count;
    return true;
}

static bool add(const char *path, char type)
{
    const uint64_t hash = hash_of(path);
    const size_t size = str_len(path) + 1;
    struct touched **slot;
    struct touched *t;

    if (g_used == TOUCHED_PATHS_MAX || (2 * g_used >= g_slot_count && !grow())) {
        return false;
    }
    slot = slot_of(g_slots, g_slot_count, hash, path);
    if (*slot != NULL) {
        return true;
    }
    t = kmalloc(sizeof(*t) + size);
    if (t == NULL) {
        return false;
    }
    t->hash = hash;
    t->type = type;
    __builtin_memcpy(t->path, path, size);
    *slot = t;
    g_used++;
    return true;
}

void touched_note_slow(const struct path *p)
{
    _cleanup_kfree_ char *buf = kmalloc(PATH_SIZE);
    const uint32_t mode = path_inode(p) == NULL ? 0 : path_inode(p)->mode;
    const char type = S_ISREG(mode) ? 'f' : S_ISDIR(mode) ? 'd' : 'o';
    struct path root = {0};
    char *text;

    fs_get_root(&root);
    mutex_lock(&g_lock);
    if (buf == NULL ||
        (path_text(p, &root, /*strict=*/true, buf, PATH_SIZE, &text) == 0 && !add(text, type))) {
        g_lost++;
    }
    mutex_unlock(&g_lock);
    path_put(&root);
}

static size_t format(char *line, const struct touched *t)
{
    size_t at = (size_t)kprintf(line, LINE_SIZE, "{\"file\": \"");

    for (const char *s = t->path; *s != '\0'; s++) {
        const uint8_t c = (uint8_t)*s;

        if (c < ' ' || c >= 0x7f || c == '"' || c == '\\') {
            at += (size_t)kprintf(line + at, LINE_SIZE - at, "\\u%04x", c);
        } else {
            line[at++] = (char)c;
        }
    }
    return at + (size_t)kprintf(line + at, LINE_SIZE - at, "\", \"type\": \"%c\"}\n", t->type);
}

void touched_report(void)
{
    _cleanup_kfree_ char *line = g_touched_on ? kmalloc(LINE_SIZE) : NULL;

    if (line == NULL) {
        return;
    }
    mutex_lock(&g_lock);
    for (uint32_t i = 0; i < g_slot_count; i++) {
        if (g_slots[i] != NULL) {
            host_report_stats(line, format(line, g_slots[i]));
        }
    }
    if (g_lost != 0) {
        host_report_stats(line, (size_t)kprintf(line, LINE_SIZE, "{\"lost\": %lu}\n", g_lost));
    }
    mutex_unlock(&g_lock);
}
