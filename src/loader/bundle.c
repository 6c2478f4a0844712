/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Starting a bundle (docs/formats/bundle.md). Everything here is offered, nothing is decided: what
 * the enclave accepts of it is its manifest's and its CAS's business.
 */
#include "loader/loader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/args.h"
#include "base/clock.h"
#include "base/fs.h"
#include "core/aead.h"
#include "loader/resolve.h"
#include "seal/manifest.h"

#define ELF_MAX      ((size_t)256 << 20)
#define OPTIONS_MAX  256u
#define NAMES_MAX    65535u
#define CAS_PORT     18765u
#define CAS_WAIT     120u /* seconds; the agent's default too */
#define CAS_WAIT_MAX 86400u
#define RETRY_FIRST  250 /* ms */
#define RETRY_LAST   5000

struct bundle {
    const char *dir;
    struct fs_mapping elf;
    uint8_t *manifest;
    uint8_t *sigstruct;
    size_t manifest_size;
    struct manifest facts;
    size_t option_count;
    char *options[OPTIONS_MAX + 1];
};

static void bundle_free(struct bundle *b)
{
    for (size_t i = 0; i < b->option_count; i++) {
        free(b->options[i]);
    }
    fs_unmap(&b->elf);
    free(b->manifest);
    free(b->sigstruct);
}

/* The first of two variables that is set and not empty. */
static const char *wish(const char *name, const char *other)
{
    const char *v = getenv(name);

    if ((v == NULL || *v == '\0') && other != NULL) {
        v = getenv(other);
    }
    return v == NULL || *v == '\0' ? NULL : v;
}

__attribute__((format(printf, 3, 4))) static int add_option(struct bundle *b, struct error **err,
                                                            const char *fmt, ...)
{
    char *text;
    va_list ap;
    int n;

    if (b->option_count == OPTIONS_MAX) {
        return error_set(err, E2BIG, "more than %u volumes, mounts and addresses", OPTIONS_MAX);
    }
    va_start(ap, fmt);
    n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0) {
        return error_set_errno(err, ENOMEM, "starting");
    }
    b->options[b->option_count++] = text;
    return 0;
}

/* ---- files ---- */

static int map_enclave(struct bundle *b, struct error **err)
{
    _cleanup_free_ char *path = NULL;

    if (asprintf(&path, "%s/libos.elf", b->dir) < 0) {
        path = NULL;
        return error_set_errno(err, ENOMEM, "starting");
    }
    return fs_map_file(path, ELF_MAX, &b->elf, err);
}

static int read_one(const struct bundle *b, const char *name, size_t max, uint8_t **ret,
                    size_t *ret_size, struct error **err)
{
    _cleanup_free_ char *path = NULL;

    if (asprintf(&path, "%s/%s", b->dir, name) < 0) {
        path = NULL;
        return error_set_errno(err, ENOMEM, "starting");
    }
    return fs_read_file(path, max, ret, ret_size, err);
}

static int read_files(struct bundle *b, struct error **err)
{
    size_t size;
    int r = map_enclave(b, err);

    if (r == 0) {
        r = read_one(b, "sigstruct", sizeof(struct sgx_sigstruct), &b->sigstruct, &size, err);
    }
    if (r == 0 && size != sizeof(struct sgx_sigstruct)) {
        return error_set(err, EINVAL, "%s/sigstruct: a SIGSTRUCT has %zu bytes, this file has %zu",
                         b->dir, sizeof(struct sgx_sigstruct), size);
    }
    if (r == 0) {
        r = read_one(b, "manifest", MANIFEST_SIZE_MAX, &b->manifest, &b->manifest_size, err);
    }
    if (r == 0 && manifest_parse(b->manifest, b->manifest_size, &b->facts) < 0) {
        return error_set(err, EBADMSG, "%s/manifest: not a manifest of this version", b->dir);
    }
    return r;
}

/* A file the enclave gets as a descriptor; they stay open as long as this process lives. */
static int offer_file(struct bundle *b, const char *name, const char *option, struct error **err)
{
    _cleanup_free_ char *path = NULL;
    int fd;

    if (asprintf(&path, "%s/%s", b->dir, name) < 0) {
        path = NULL;
        return error_set_errno(err, ENOMEM, "starting");
    }
    fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? error_set_errno(err, errno, "%s", path)
                  : add_option(b, err, "%s=%d", option, fd);
}

static int offer_mounts(struct bundle *b, struct error **err)
{
    struct cursor c = b->facts.mounts;
    const char *path;
    uint8_t flags;
    int r = 0;

    while (r == 0 && manifest_next_mount(&c, &flags, &path) > 0) {
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd >= 0) {
            r = add_option(b, err, "mount=%d=%s", fd, path);
        } else if (errno != ENOENT) {
            r = error_set_errno(err, errno, "passing %s through", path);
        }
    }
    return r;
}

/* What the engine wrote for this container: the enclave takes of it what is well-formed. */
static int offer_names(struct bundle *b, struct error **err)
{
    static const char *const files[][2] = {{"etc-hosts", "/etc/hosts"},
                                           {"etc-resolv", "/etc/resolv.conf"}};
    int r = 0;

    for (size_t i = 0; i < ARRAY_COUNT(files) && r == 0; i++) {
        _cleanup_free_ uint8_t *text = NULL;
        size_t size;

        /* A container may well have none; what is not there cannot be offered. */
        if (fs_read_file(files[i][1], NAMES_MAX, &text, &size, NULL) == 0) {
            r = add_option(b, err, "%s=%s", files[i][0], (const char *)text);
        }
    }
    return r;
}

/* NACRE_VOLUMES: NAME=FILE[:NAME=FILE]... */
static int offer_volumes(struct bundle *b, struct error **err)
{
    const char *text = wish("NACRE_VOLUMES", NULL);
    _cleanup_free_ char *copy = text == NULL ? NULL : strdup(text);
    char *rest;
    int r = 0;

    if (text != NULL && copy == NULL) {
        return error_set_errno(err, ENOMEM, "starting");
    }
    for (char *item = copy == NULL ? NULL : strtok_r(copy, ":", &rest); r == 0 && item != NULL;
         item = strtok_r(NULL, ":", &rest)) {
        char *file = strchr(item, '=');
        int fd;

        if (file == NULL || file == item || file[1] == '\0') {
            return error_set(err, EINVAL, "NACRE_VOLUMES: '%s' is not NAME=FILE", item);
        }
        *file++ = '\0';
        fd = open(file, O_RDONLY | O_CLOEXEC);
        r = fd < 0 ? error_set_errno(err, errno, "NACRE_VOLUMES: %s", file)
                   : add_option(b, err, "volume=%d=%s", fd, item);
    }
    return r;
}

static int offer_files(struct bundle *b, struct error **err)
{
    const uint64_t flags = b->facts.header.flags;
    int r = 0;

    if ((flags & MANIFEST_AGENT) != 0) {
        r = offer_file(b, "agent", "agent-fd", err);
    }
    if (r == 0 && (flags & MANIFEST_SEALED_ROOT) != 0) {
        r = offer_file(b, "rootfs.nseal", "sealed-fd", err);
    }
    if (r == 0 && (flags & MANIFEST_HOST_BELOW) != 0) {
        const char *root = wish("NACRE_ROOT", NULL);
        int fd = open(root == NULL ? "/" : root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        r = fd < 0 ? error_set_errno(err, errno, "%s", root == NULL ? "/" : root)
                   : add_option(b, err, "root-fd=%d", fd);
    }
    if (r == 0) {
        r = add_option(b, err, "aead=%d", (int)aead_get_level());
    }
    if (r == 0) {
        r = offer_names(b, err);
    }
    if (r == 0) {
        r = offer_mounts(b, err);
    }
    return r < 0 ? r : offer_volumes(b, err);
}

/* ---- the CAS ---- */

static void sleep_ms(int64_t ms)
{
    const struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    (void)nanosleep(&ts, NULL);
}

/* In a cluster the name may come later than we do: asks until there is an answer or time is up. */
static int resolve_patiently(const char *host, uint16_t port, uint64_t seconds,
                             struct resolve_address *ret, struct error **err)
{
    const int64_t until = clock_ms() + (int64_t)seconds * 1000;
    bool told = false;

    for (int64_t pause = RETRY_FIRST;; pause = MIN(pause * 2, (int64_t)RETRY_LAST)) {
        int r = resolve_name(&resolve_system, host, port, ret, err);

        if (r > 0 || clock_ms() + pause > until) {
            return r;
        }
        if (!told) {
            (void)dprintf(STDERR_FILENO, "nacre: %s; trying for %ju seconds\n", error_text(*err),
                          (uintmax_t)seconds);
            told = true;
        }
        *err = error_free(*err);
        sleep_ms(pause);
    }
}

static int offer_cas(struct bundle *b, struct error **err)
{
    const char *where = wish("NACRE_CAS", "SCONE_CAS_ADDR");
    const char *config = wish("NACRE_CONFIG_ID", "SCONE_CONFIG_ID");
    const char *wait = wish("NACRE_CAS_TIMEOUT", NULL);
    _cleanup_error_ struct error *why = NULL;
    struct resolve_address found[RESOLVE_MAX];
    uint64_t seconds = CAS_WAIT;
    char host[256];
    char text[80];
    uint16_t port;
    int count;
    int r = 0;

    if (wait != NULL && (args_parse_u64(wait, &seconds) < 0 || seconds > CAS_WAIT_MAX)) {
        return error_set(err, EINVAL, "NACRE_CAS_TIMEOUT=%s: a number of seconds, at most %u", wait,
                         CAS_WAIT_MAX);
    }
    if (wait != NULL) {
        r = add_option(b, err, "cas-timeout=%ju", (uintmax_t)seconds);
    }
    if (r == 0 && config != NULL) {
        r = add_option(b, err, "config-id=%s", config);
    }
    if (r < 0 || where == NULL) {
        return r; /* the agent says what is missing */
    }
    if (resolve_split(where, CAS_PORT, host, &port, &why) < 0) {
        return error_set(err, EINVAL, "NACRE_CAS: %s", error_text(why));
    }
    count = resolve_patiently(host, port, seconds, found, &why);
    if (count < 0) {
        return add_option(b, err, "cas-note=%s", error_text(why));
    }
    for (int i = 0; r == 0 && i < count; i++) {
        resolve_format(&found[i], text, sizeof(text));
        r = add_option(b, err, "cas=%s", text);
    }
    return r;
}

/* ---- tuning ---- */

static int log_level(uint32_t *ret, struct error **err)
{
    static const char *const words[] = {"error", "warning", "info", "debug", "trace"};
    const char *v = wish("NACRE_LOG", NULL);

    *ret = 1;
    if (v == NULL) {
        return 0;
    }
    for (uint32_t i = 0; i < ARRAY_COUNT(words); i++) {
        if (strcmp(v, words[i]) == 0 || (v[0] == (char)('0' + i) && v[1] == '\0')) {
            *ret = i;
            return 0;
        }
    }
    return error_set(err, EINVAL, "NACRE_LOG=%s: use error, warning, info, debug or trace", v);
}

static uint64_t read_limit(const char *path)
{
    _cleanup_free_ uint8_t *text = NULL;
    size_t size;
    uint64_t v;

    if (fs_read_file(path, 64, &text, &size, NULL) < 0) {
        return UINT64_MAX;
    }
    text[strcspn((char *)text, "\n")] = '\0';
    return args_parse_u64((char *)text, &v) < 0 ? UINT64_MAX : v; /* "max" */
}

/* What the machine or the container has, unless told less. */
static int memory_limit(uint64_t *ret, struct error **err)
{
    const char *v = wish("NACRE_MEMORY", "SCONE_HEAP");
    const long pages = sysconf(_SC_PHYS_PAGES);
    uint64_t limit = pages <= 0 ? 0 : (uint64_t)pages * NACRE_PAGE_SIZE;

    if (v != NULL) {
        return args_parse_u64(v, ret) < 0
                   ? error_set(err, EINVAL, "NACRE_MEMORY=%s: a number such as 512M", v)
                   : 0;
    }
    limit = MIN(limit, read_limit("/sys/fs/cgroup/memory.max"));
    *ret = MIN(limit, read_limit("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
    return 0;
}

bool loader_is_bundle(const char *dir)
{
    static const char *const names[] = {"libos.elf", "sigstruct", "manifest"};
    char path[4096];

    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        const int n = snprintf(path, sizeof(path), "%s/%s", dir, names[i]);

        if (n < 0 || (size_t)n >= sizeof(path) || access(path, R_OK) < 0) {
            return false;
        }
    }
    return true;
}

static int run(struct bundle *b, const struct bundle_options *o, int *ret_status,
               struct error **err)
{
    char hostname[256] = "";
    struct loader_options options = {
        .base = loader_default_base(),
        .quiet = o->quiet,
        .flags = o->stats ? BOOT_FLAG_STATS : 0,
        .reports = o->stats,
        .envp = (const char *const *)environ,
        .hostname = hostname,
        .options = (const char *const *)b->options,
    };
    const struct loader_image image = {.elf = b->elf.data,
                                       .elf_size = b->elf.size,
                                       .manifest = b->manifest,
                                       .manifest_size = b->manifest_size};
    const struct sgx_backend *backend;
    enum loader_mode mode;
    struct loader *l;
    int r = loader_mode_from_env(&mode, err);

    (void)gethostname(hostname, sizeof(hostname) - 1);
    if (r == 0) {
        r = loader_backend_for(mode, &backend, err);
    }
    if (r == 0) {
        r = log_level(&options.log_level, err);
    }
    if (r == 0) {
        r = memory_limit(&options.memory_limit, err);
    }
    if (r == 0) {
        r = loader_load(backend, &image, (const struct sgx_sigstruct *)(const void *)b->sigstruct,
                        &options, &l, err);
    }
    /* Not freed: other threads may still be inside; the process ends with all of them. */
    return r < 0 ? r : loader_run(l, ret_status, err);
}

int loader_run_bundle(const struct bundle_options *options, int *ret_status, struct error **err)
{
    _cleanup_(bundle_free) struct bundle b = {.dir = options->dir};
    int r = read_files(&b, err);

    if (r == 0 && (b.facts.header.flags & MANIFEST_HOST_TRUSTED) != 0) {
        return error_set(err, EINVAL,
                         "%s/manifest trusts the host: bundles get everything from a CAS", b.dir);
    }
    if (r == 0) {
        r = offer_files(&b, err);
    }
    if (r == 0) {
        r = offer_cas(&b, err);
    }
    return r < 0 ? r : run(&b, options, ret_status, err);
}
