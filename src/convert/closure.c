/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "convert/closure.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "convert/elf_needs.h"
#include "convert/ld_cache.h"
#include "image/fetch.h"

#define WORDS_MAX  8192u
#define CONFIG_MAX ((size_t)4 * 1024 * 1024)

/* A list of texts without doubles. What stands behind `done` has not been looked at. */
struct words {
    char **v;
    size_t count;
    size_t done;
};

struct closure {
    struct partial *p;
    struct words names; /* libraries by name */
    struct words dirs;  /* where they are looked for, absolute */
    uint32_t *todo;     /* inodes whose needs are not known yet */
    size_t todo_count;
    uint32_t *entry_of; /* by inode: a name of it; IMG_NONE: not seen */
    char *cache;        /* /etc/ld.so.cache */
    size_t cache_size;
    bool is_musl;
    bool is_glibc;
    int scratch;   /* the ELF file under way */
    uint64_t size; /* bytes of it so far */
    bool is_elf;
    struct error **err; /* for callbacks of the cache */
};

static void words_done(struct words *w)
{
    for (size_t i = 0; i < w->count; i++) {
        free(w->v[i]);
    }
    free(w->v);
}

static void closure_done(struct closure *c)
{
    words_done(&c->names);
    words_done(&c->dirs);
    free(c->todo);
    free(c->entry_of);
    free(c->cache);
    closep(&c->scratch);
}
#define _cleanup_closure_ _cleanup_(closure_done)

static int add_word(struct words *w, const char *text, size_t size, struct error **err)
{
    char **grown;

    for (size_t i = 0; i < w->count; i++) {
        if (strncmp(w->v[i], text, size) == 0 && w->v[i][size] == '\0') {
            return 0;
        }
    }
    if (w->count == WORDS_MAX) {
        return error_set(err, E2BIG, "the image's programs need more than %u libraries", WORDS_MAX);
    }
    grown = reallocarray(w->v, w->count + 1, sizeof(*grown));
    if (grown != NULL) {
        w->v = grown;
        grown[w->count] = strndup(text, size);
    }
    if (grown == NULL || grown[w->count] == NULL) {
        return error_set_errno(err, ENOMEM, "looking for libraries");
    }
    w->count++;
    return 0;
}

static void say(const struct closure *c, const char *fmt, ...) _printf_(2, 3);
static void say(const struct closure *c, const char *fmt, ...)
{
    char text[700];
    va_list ap;

    if (c->p->note != NULL) {
        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        c->p->note(c->p->note_ctx, text);
    }
}

/* ---- files ---------------------------------------------------------------------------------- */

static bool is_absence(int r)
{
    return r == -ENOENT || r == -ENOTDIR || r == -ELOOP || r == -ENAMETOOLONG;
}

/* A file that is in the seal now: what it needs is to be found out. */
static void enqueue(struct closure *c, uint32_t entry)
{
    const uint32_t inode = c->p->tree->entries[entry].inode;

    if (img_is_reg(&c->p->tree->inodes[inode]) && c->entry_of[inode] == IMG_NONE) {
        c->entry_of[inode] = entry;
        c->todo[c->todo_count++] = inode;
    }
}

static void enqueue_below(struct closure *c, uint32_t top)
{
    const struct img_tree *t = c->p->tree;

    for (uint32_t e = top; e != IMG_NONE; e = img_tree_next(t, e)) {
        uint32_t up = e;

        while (up != top && up != IMG_ROOT) {
            up = t->entries[up].parent;
        }
        if (up != top) {
            return; /* the walk has left the directory */
        }
        enqueue(c, e);
    }
}

/* Seals the file a path leads to, with the links on the way. 1: there; 0: the image has none. */
static int seal_file(struct closure *c, const char *path, struct error **err)
{
    _cleanup_free_ struct rootfs_file *f = malloc(sizeof(*f));
    int r;

    if (f == NULL) {
        return error_set_errno(err, ENOMEM, "looking for libraries");
    }
    r = rootfs_resolve(&c->p->fs, "/", path, f, err);
    if (is_absence(r)) {
        return 0;
    }
    if (r == 0) {
        c->p->marking = true;
        r = rootfs_resolve(&c->p->fs, "/", path, f, err);
        c->p->marking = false;
    }
    if (r < 0) {
        return r;
    }
    enqueue(c, partial_entry(&f->node));
    return 1;
}

/* As seal_file; and where there is none, none can appear. */
static int seal_or_hide(struct closure *c, const char *dir, const char *name, struct error **err)
{
    char path[ROOTFS_PATH_MAX + 1];
    int r;

    if ((size_t)snprintf(path, sizeof(path), "%s/%s", strcmp(dir, "/") == 0 ? "" : dir, name) >=
        sizeof(path)) {
        return 0;
    }
    r = seal_file(c, path, err);
    if (r == 0) {
        r = partial_hide(c->p, dir, name, err);
    }
    return r;
}

/* The same for a path. A relative one means the working directory's, which nobody knows. */
static int seal_path(struct closure *c, const char *path, struct error **err)
{
    const char *slash = strrchr(path, '/');
    char dir[ROOTFS_PATH_MAX + 1];
    int r;

    if (path[0] != '/' || (size_t)(slash - path) > ROOTFS_PATH_MAX) {
        return 0;
    }
    (void)snprintf(dir, sizeof(dir), "%.*s", slash == path ? 1 : (int)(slash - path), path);
    r = seal_or_hide(c, dir, slash + 1, err);
    return r < 0 ? r : 0;
}

/* A directory whole, or its absence. */
static int seal_dir_or_hide(struct closure *c, const char *dir, const char *name,
                            struct error **err)
{
    _cleanup_free_ struct rootfs_file *f = malloc(sizeof(*f));
    char path[ROOTFS_PATH_MAX + 1];
    int r;

    if (f == NULL || (size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path)) {
        return f == NULL ? error_set_errno(err, ENOMEM, "looking for libraries") : 0;
    }
    r = rootfs_resolve(&c->p->fs, "/", path, f, err);
    if (is_absence(r)) {
        return partial_hide(c->p, dir, name, err);
    }
    r = r < 0 ? r : partial_seal(c->p, path, err);
    if (r == 0) {
        enqueue_below(c, partial_entry(&f->node));
    }
    return r;
}

static int read_config(struct closure *c, const char *path, char **ret, size_t *ret_size,
                       struct error **err)
{
    _cleanup_free_ struct rootfs_file *f = malloc(sizeof(*f));
    int r;

    if (f == NULL) {
        return error_set_errno(err, ENOMEM, "looking for libraries");
    }
    r = rootfs_resolve(&c->p->fs, "/", path, f, err);
    if (is_absence(r) || (r == 0 && (f->node.mode & 0170000u) != 0100000u)) {
        *ret = strdup("");
        *ret_size = 0;
        return *ret == NULL ? error_set_errno(err, ENOMEM, "looking for libraries") : 0;
    }
    return r < 0 ? r : rootfs_read_all(&c->p->fs, f, CONFIG_MAX, ret, ret_size, err);
}

/* ---- where a linker looks ------------------------------------------------------------------- */

/* "a:b;c", $ORIGIN being the directory of the file that says so. */
static int add_dirs(struct closure *c, const char *list, const char *origin, struct error **err)
{
    while (*list != '\0') {
        const size_t n = strcspn(list, ":;\n");
        const char *rest = list;
        const char *base = NULL;
        size_t left = n;
        char dir[ROOTFS_PATH_MAX + 1] = "";
        int r = 0;

        if (n >= 7 && strncmp(list, "$ORIGIN", 7) == 0) {
            base = origin;
            rest += 7;
            left -= 7;
        } else if (n >= 9 && strncmp(list, "${ORIGIN}", 9) == 0) {
            base = origin;
            rest += 9;
            left -= 9;
        }
        if (memchr(rest, '$', left) != NULL || (base == NULL && *rest != '/' && left > 0)) {
            say(c, "library path '%.*s' is not followed: what it leads to stays unprotected",
                (int)n, list);
        } else if (n > 0 && (size_t)snprintf(dir, sizeof(dir), "%s%.*s", base == NULL ? "" : base,
                                             (int)left, rest) < sizeof(dir)) {
            r = add_word(&c->dirs, dir, strlen(dir), err);
        }
        if (r < 0) {
            return r;
        }
        list += n + (list[n] != '\0');
    }
    return 0;
}

/* Words of /etc/nsswitch.conf are modules of the C library: libnss_WORD.so.2. */
static int add_nss(struct closure *c, const char *text, struct error **err)
{
    int r = add_word(&c->names, "libnss_files.so.2", 17, err);

    r = r < 0 ? r : add_word(&c->names, "libnss_dns.so.2", 15, err);
    for (; r == 0 && *text != '\0'; text += *text == '\n') {
        const size_t line = strcspn(text, "#\n");
        const char *end = text + line;
        const char *p = memchr(text, ':', line);

        while (r == 0 && p != NULL && p < end) {
            char name[80];
            size_t n;

            p += strspn(p, ": \t");
            p += *p == '[' ? strcspn(p, "]\n") + 1 : 0;
            n = strspn(p, "abcdefghijklmnopqrstuvwxyz0123456789_-");
            if (n > 0 && n < 40 && p + n <= end) {
                (void)snprintf(name, sizeof(name), "libnss_%.*s.so.2", (int)n, p);
                r = add_word(&c->names, name, strlen(name), err);
            }
            p += MAX(n, (size_t)1);
        }
        text += strcspn(text, "\n");
    }
    return r;
}

/* Files glibc reads before anything of the program runs, and what they name. */
static int prepare_glibc(struct closure *c, struct error **err)
{
    static const char *const files[] = {"ld.so.cache", "ld.so.preload", "nsswitch.conf"};
    static const char *const dirs[] = {"/lib/x86_64-linux-gnu",
                                       "/usr/lib/x86_64-linux-gnu",
                                       "/lib64",
                                       "/usr/lib64",
                                       "/lib",
                                       "/usr/lib"};
    _cleanup_free_ char *nss = NULL;
    _cleanup_free_ char *preload = NULL;
    size_t size;
    int r = 0;

    c->is_glibc = true;
    for (size_t i = 0; r >= 0 && i < ARRAY_COUNT(files); i++) {
        r = seal_or_hide(c, "/etc", files[i], err);
    }
    for (size_t i = 0; r >= 0 && i < ARRAY_COUNT(dirs); i++) {
        r = add_word(&c->dirs, dirs[i], strlen(dirs[i]), err);
    }
    for (size_t i = 0; r >= 0 && i < 2; i++) {
        r = seal_dir_or_hide(c, dirs[i], "gconv", err);
    }
    r = r < 0 ? r : read_config(c, "/etc/ld.so.cache", &c->cache, &c->cache_size, err);
    r = r < 0 ? r : read_config(c, "/etc/nsswitch.conf", &nss, &size, err);
    r = r < 0 ? r : read_config(c, "/etc/ld.so.preload", &preload, &size, err);
    r = r < 0 ? r : add_nss(c, nss, err);
    r = r < 0 ? r : add_word(&c->names, "libgcc_s.so.1", 13, err); /* pthread_cancel opens it */
    for (char *rest = preload, *word; r >= 0 && (word = strsep(&rest, " \t\n:")) != NULL;) {
        r = *word == '\0'  ? 0
            : *word == '/' ? seal_path(c, word, err)
                           : add_word(&c->names, word, strlen(word), err);
    }
    return r < 0 ? r : 0;
}

static int prepare_musl(struct closure *c, struct error **err)
{
    _cleanup_free_ char *path = NULL;
    size_t size;
    int r;

    c->is_musl = true;
    r = seal_or_hide(c, "/etc", "ld-musl-x86_64.path", err);
    r = r < 0 ? r : read_config(c, "/etc/ld-musl-x86_64.path", &path, &size, err);
    return r < 0 ? r : add_dirs(c, size > 0 ? path : "/lib:/usr/local/lib:/usr/lib", NULL, err);
}

static int take_interpreter(struct closure *c, const char *path, struct error **err)
{
    const bool musl = strstr(path, "ld-musl") != NULL;
    int r = seal_file(c, path, err);

    if (r >= 0 && musl && !c->is_musl) {
        r = prepare_musl(c, err);
    } else if (r >= 0 && !musl && !c->is_glibc) {
        r = prepare_glibc(c, err);
    }
    return r < 0 ? r : 0;
}

/* ---- what files need ------------------------------------------------------------------------ */

static int take_needs(struct closure *c, const struct elf_needs *needs, uint32_t inode,
                      struct error **err)
{
    _cleanup_free_ char *path = img_tree_path(c->p->tree, c->entry_of[inode]);
    _cleanup_free_ char *origin = NULL;
    char *slash;
    int r = 0;

    if (path == NULL || asprintf(&origin, "/%s", path) < 0) {
        origin = NULL;
        return error_set_errno(err, ENOMEM, "looking for libraries");
    }
    slash = strrchr(origin, '/');
    *slash = '\0';
    if (needs->audited) {
        say(c, "/%s names filters or auditors, which are not followed", path);
    }
    if (needs->interpreter != NULL && needs->interpreter[0] == '/') {
        r = take_interpreter(c, needs->interpreter, err);
    }
    if (r == 0 && needs->rpath != NULL) {
        r = add_dirs(c, needs->rpath, origin, err);
    }
    if (r == 0 && needs->runpath != NULL) {
        r = add_dirs(c, needs->runpath, origin, err);
    }
    for (size_t i = 0; r >= 0 && i < needs->count; i++) {
        const char *name = needs->names[i];

        r = strchr(name, '/') != NULL ? seal_path(c, name, err)
                                      : add_word(&c->names, name, strlen(name), err);
    }
    return r < 0 ? r : 0;
}

static int on_begin(void *ctx, uint32_t inode, struct error **err)
{
    struct closure *c = ctx;

    c->size = 0;
    c->is_elf = false;
    return 0;
}

/* Only ELF files are kept, and those one at a time. */
static int on_data(void *ctx, const uint8_t *p, uint64_t size, struct error **err)
{
    struct closure *c = ctx;

    if (c->size == 0) {
        c->is_elf = p != NULL && size >= SELFMAG && memcmp(p, ELFMAG, SELFMAG) == 0;
        if (c->is_elf && ftruncate(c->scratch, 0) < 0) {
            return error_set_errno(err, errno, "writing a scratch file in TMPDIR");
        }
    }
    for (uint64_t done = 0; c->is_elf && p != NULL && done < size;) {
        const ssize_t n =
            pwrite(c->scratch, p + done, (size_t)(size - done), (off_t)(c->size + done));

        if (n < 0 && errno != EINTR) {
            return error_set_errno(err, errno, "writing a scratch file in TMPDIR");
        }
        done += n > 0 ? (uint64_t)n : 0;
    }
    c->size += size;
    return 0;
}

static int on_end(void *ctx, uint32_t inode, struct error **err)
{
    struct closure *c = ctx;
    struct elf_needs needs;
    void *map;
    int r;

    if (!c->is_elf) {
        return 0;
    }
    if (ftruncate(c->scratch, (off_t)c->size) < 0) {
        return error_set_errno(err, errno, "writing a scratch file in TMPDIR");
    }
    map = mmap(NULL, (size_t)c->size, PROT_READ, MAP_PRIVATE, c->scratch, 0);
    if (map == MAP_FAILED) {
        return error_set_errno(err, errno, "reading a scratch file");
    }
    /* A file that is no program of this machine has nothing to be loaded. */
    r = elf_needs_read(map, (size_t)c->size, &needs) < 0 ? 0 : take_needs(c, &needs, inode, err);
    (void)munmap(map, (size_t)c->size);
    return r;
}

static int read_files(struct closure *c, struct error **err)
{
    const size_t count = c->todo_count;
    _cleanup_free_ uint32_t *batch = calloc(count + 1, sizeof(*batch));
    const struct img_fetch f = {
        .source = c->p->source,
        .tree = c->p->tree,
        .unpacked_max = c->p->unpacked_max,
        .begin = on_begin,
        .data = on_data,
        .end = on_end,
        .ctx = c,
    };
    int r;

    if (batch == NULL) {
        return error_set_errno(err, ENOMEM, "looking for libraries");
    }
    memcpy(batch, c->todo, count * sizeof(*batch));
    c->todo_count = 0; /* callbacks may find more */
    r = img_fetch(&f, batch, count, err);
    return r;
}

/* ---- resolution ----------------------------------------------------------------------------- */

static int on_cached(void *ctx, const char *path)
{
    struct closure *c = ctx;

    return seal_path(c, path, c->err);
}

/* Subdirectories glibc looks into before a directory itself, on some processor or in some version.
 */
static int close_variants(struct closure *c, const char *dir, struct error **err)
{
    static const char *const names[] = {"glibc-hwcaps", "tls", "x86_64", "haswell", "avx512_1"};
    int r = 0;

    for (size_t i = 0; c->is_glibc && r == 0 && i < ARRAY_COUNT(names); i++) {
        r = seal_dir_or_hide(c, dir, names[i], err);
    }
    return r;
}

/* Every name in every directory, each pair once. */
static int look_up(struct closure *c, struct error **err)
{
    const size_t names = c->names.count;
    const size_t dirs = c->dirs.count;
    int r = 0;

    for (size_t d = c->dirs.done; r >= 0 && d < dirs; d++) {
        r = close_variants(c, c->dirs.v[d], err);
    }
    for (size_t n = 0; r >= 0 && n < names; n++) {
        const bool fresh = n >= c->names.done;

        if (fresh && c->cache != NULL) {
            c->err = err;
            r = ld_cache_find(c->cache, c->cache_size, c->names.v[n], on_cached, c);
        }
        for (size_t d = fresh ? 0 : c->dirs.done; r >= 0 && d < dirs; d++) {
            r = seal_or_hide(c, c->dirs.v[d], c->names.v[n], err);
        }
    }
    c->names.done = names;
    c->dirs.done = dirs;
    return r < 0 ? r : 0;
}

static int start(struct closure *c, const struct closure_options *o, struct error **err)
{
    const struct img_tree *t = c->p->tree;
    int r = 0;

    for (uint32_t e = IMG_ROOT; e != IMG_NONE; e = img_tree_next(t, e)) {
        if ((t->entries[e].mark & PARTIAL_SEALED) != 0) {
            enqueue(c, e);
        }
    }
    if (o->program->interpreter.path[0] != '\0') {
        r = take_interpreter(c, o->program->interpreter.path, err);
    }
    if (r == 0 && o->library_path != NULL) {
        r = add_dirs(c, o->library_path, NULL, err);
    }
    for (const char *s = o->preload; r >= 0 && s != NULL && *s != '\0';) {
        const size_t n = strcspn(s, " :");
        char word[ROOTFS_PATH_MAX + 1];

        (void)snprintf(word, sizeof(word), "%.*s", (int)n, s);
        r = n == 0                      ? 0
            : strchr(word, '/') != NULL ? seal_path(c, word, err)
                                        : add_word(&c->names, word, n, err);
        s += n + (s[n] != '\0');
    }
    return r < 0 ? r : 0;
}

int closure_seal(struct partial *p, const struct closure_options *o, struct error **err)
{
    const size_t slots = p->tree->inode_count + 1;
    _cleanup_closure_ struct closure c = {.p = p, .scratch = -1};
    int r;

    c.todo = calloc(slots, sizeof(*c.todo));
    c.entry_of = malloc(slots * sizeof(*c.entry_of));
    if (c.todo == NULL || c.entry_of == NULL) {
        return error_set_errno(err, ENOMEM, "looking for libraries");
    }
    memset(c.entry_of, 0xff, slots * sizeof(*c.entry_of));
    r = img_scratch(&c.scratch, err);
    r = r < 0 ? r : start(&c, o, err);
    while (r == 0 &&
           (c.todo_count > 0 || c.names.done < c.names.count || c.dirs.done < c.dirs.count)) {
        r = look_up(&c, err);
        r = r < 0 ? r : read_files(&c, err);
    }
    return r;
}
