/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * nacre exec: developer mode. A program from a directory of this machine runs in an enclave with
 * nothing attested and nothing sealed: the directory and the arguments are the host's word.
 */

#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "abi/enclave_layout.h"
#include "base/alloc.h"
#include "base/crypto.h"
#include "base/fs.h"
#include "base/state_dir.h"
#include "cli/install.h"
#include "cli/sealed_args.h"
#include "cli/signing_key.h"
#include "core/aead.h"
#include "core/ct.h"
#include "core/hex.h"
#include "loader/loader.h"
#include "sign/key_file.h"
#include "sign/sigstruct.h"

#define ELF_MAX      ((size_t)256 << 20)
#define LIBOS_ENV    "NACRE_LIBOS"
#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct exec_options {
    const char *root;
    const char *sealed;
    const char *key;
    const char *sealed_root;
    const char *manifest;
    uint64_t sealed_cache;
    const char *libos;
    const char *cwd;
    struct arg_list env;
    uint64_t memory;
    uint64_t threads;
    uint64_t log_level;
    bool strace;
    bool report;
    bool trace_files;
    bool stats;
    bool no_rewrite;
    bool read_only;
    bool quiet;
};

/* ---- an ad-hoc signature: this user's development key ---- */

static int sign_ad_hoc(const struct loader_image *image, struct sgx_sigstruct *ret,
                       struct error **err)
{
    _cleanup_key_ struct evp_pkey_st *key = NULL;
    struct loader_measurement m;
    struct sigstruct_params p;
    const time_t now = time(NULL);
    struct tm tm;
    int r = loader_measure(image, &m, err);

    if (r < 0) {
        return r;
    }
    sigstruct_params_default(&p);
    memcpy(p.mrenclave, m.mrenclave, sizeof(p.mrenclave));
    if (gmtime_r(&now, &tm) == NULL ||
        sigstruct_date((unsigned)tm.tm_year + 1900, (unsigned)tm.tm_mon + 1, (unsigned)tm.tm_mday,
                       &p.date) < 0) {
        return error_set(err, EINVAL, "the system clock shows no date");
    }
    r = sigstruct_build(&p, ret, err);
    if (r == 0) {
        r = signing_key_development(&key, err);
    }
    return r < 0 ? r : sigstruct_sign(ret, key, err);
}

/* ---- running ---- */

#define OPTIONS_MAX 16
#define OPTION_TEXT 96

struct libos_options {
    size_t count;
    char text[OPTIONS_MAX][OPTION_TEXT];
    const char *list[OPTIONS_MAX + 1];
};

static void add_text_option(struct libos_options *o, const char *name, const char *value)
{
    char *text = o->text[o->count];

    (void)snprintf(text, OPTION_TEXT, "%s=%s", name, value);
    o->list[o->count++] = text;
}

static void add_option(struct libos_options *o, const char *name, int value)
{
    char text[16];

    (void)snprintf(text, sizeof(text), "%d", value);
    add_text_option(o, name, text);
}

/* PATH unless given, then --env in order; a bare name passes the host's value on. */
static int make_environment(const struct arg_list *env, char ***ret, struct error **err)
{
    char **v = calloc(env->count + 2, sizeof(*v));
    bool have_path = false;
    size_t n = 0;

    if (v == NULL) {
        return error_set_errno(err, ENOMEM, "starting");
    }
    for (size_t i = 0; i < env->count; i++) {
        have_path |= strncmp(env->values[i], "PATH", 4) == 0 &&
                     (env->values[i][4] == '=' || env->values[i][4] == '\0');
    }
    if (!have_path) {
        v[n++] = strdup(DEFAULT_PATH);
    }
    for (size_t i = 0; i < env->count; i++) {
        const char *s = env->values[i];
        const char *value;

        if (strchr(s, '=') != NULL) {
            v[n++] = strdup(s);
            continue;
        }
        value = getenv(s);
        if (value != NULL && asprintf(&v[n], "%s=%s", s, value) > 0) {
            n++;
        }
    }
    *ret = v;
    return 0;
}

static void free_environment(char **v)
{
    for (size_t i = 0; v != NULL && v[i] != NULL; i++) {
        free(v[i]);
    }
    free(v);
}

static int open_root(const char *path, struct error **err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? error_set_errno(err, errno, "--root %s", path) : fd;
}

/*
 * A sealed image instead of a directory: descriptor, key and root go to the enclave through the
 * launch parameters, so through the host's hands. What reads them is the protected way's reader.
 */
static int open_sealed(const struct exec_options *o, struct libos_options *lo, struct error **err)
{
    _cleanup_secret_ struct secret *key = NULL;
    char text[2 * SEALED_HASH_SIZE + 1];
    uint8_t root[SEALED_HASH_SIZE];
    int fd;
    int r;

    if (o->key == NULL) {
        return error_set(err, EINVAL, "--sealed needs --key FILE, the sealing key of the image");
    }
    r = sealed_read_key(o->key, &key, err);
    if (r == 0 && o->sealed_root != NULL) {
        r = sealed_parse_hex32("--sealed-root", o->sealed_root, root, err);
    }
    if (r < 0) {
        return r;
    }
    fd = open(o->sealed, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return error_set_errno(err, errno, "--sealed %s", o->sealed);
    }
    hex_encode(text, key->data, SEALED_KEY_SIZE);
    add_text_option(lo, "sealed-key", text);
    ct_wipe(text, sizeof(text));
    if (o->sealed_root != NULL) {
        hex_encode(text, root, sizeof(root));
        add_text_option(lo, "sealed-root", text);
    }
    if (o->sealed_cache != 0) {
        (void)snprintf(text, sizeof(text), "%ju", (uintmax_t)o->sealed_cache);
        add_text_option(lo, "sealed-cache", text);
    }
    add_option(lo, "sealed-fd", fd);
    return fd;
}

/* RAM is what an enclave of this machine may use unless it is told less. */
static uint64_t default_memory(void)
{
    const long pages = sysconf(_SC_PHYS_PAGES);

    return pages <= 0 ? 0 : (uint64_t)pages * NACRE_PAGE_SIZE;
}

/*
 * Threads of the program may still be inside, where they use what the loader holds: nothing is
 * given back, and no exit handler (of a sanitizer, of libcrypto) runs beside them. Standard error
 * may be closed by now, as the program left it.
 */
static _noreturn_ void end_process(int r, int status, const struct error *err)
{
    (void)fflush(NULL);
    if (r < 0) {
        (void)dprintf(STDERR_FILENO, "nacre exec: %s\n", error_text(err));
        status = CLI_CANNOT_START;
    }
    _exit(status);
}

/* Returns only when the program could not be started. */
static int run(const struct exec_options *o, char **argv, struct error **err)
{
    _cleanup_free_ char *path = NULL;
    _cleanup_fs_mapping_ struct fs_mapping elf = {};
    _cleanup_free_ uint8_t *manifest = NULL;
    struct libos_options lo = {};
    struct sgx_sigstruct sigstruct;
    struct loader_image image = {};
    const struct sgx_backend *backend;
    enum loader_mode mode;
    char **environment = NULL;
    struct loader *l;
    int status = 0;
    int below;
    int root;
    int r = install_find(INSTALL_LIBOS, o->libos, &path, err);

    if (r == 0) {
        r = fs_map_file(path, ELF_MAX, &elf, err);
    }
    if (r == 0 && o->manifest != NULL) {
        r = fs_read_file(o->manifest, ENCLAVE_MANIFEST_MAX, &manifest, &image.manifest_size, err);
    }
    if (r < 0) {
        return r;
    }
    image.elf = elf.data;
    image.elf_size = elf.size;
    image.manifest = manifest;
    r = sign_ad_hoc(&image, &sigstruct, err);
    if (r == 0) {
        r = loader_mode_from_env(&mode, err);
    }
    if (r == 0) {
        r = loader_backend_for(mode, &backend, err);
    }
    if (r == 0) {
        r = make_environment(&o->env, &environment, err);
    }
    if (r < 0) {
        return r;
    }
    root = o->sealed != NULL ? open_sealed(o, &lo, err)
                             : open_root(o->root == NULL ? "/" : o->root, err);
    if (root < 0) {
        free_environment(environment);
        return root;
    }
    if (o->sealed == NULL) {
        add_option(&lo, "root-fd", root);
    } else if (o->root != NULL) { /* for a manifest that wants it below the image */
        below = open_root(o->root, err);
        if (below < 0) {
            free_environment(environment);
            return below;
        }
        add_option(&lo, "root-fd", below);
    }
    add_option(&lo, "aead", (int)aead_get_level());
    add_option(&lo, "strace", o->strace);
    add_option(&lo, "syscall-report", o->report);
    add_option(&lo, "trace-files", o->trace_files);
    add_option(&lo, "rewrite", !o->no_rewrite);
    add_option(&lo, "read-only", o->read_only);
    const struct loader_options options = {
        .base = loader_default_base(),
        .memory_limit = o->memory != 0 ? o->memory : default_memory(),
        .thread_max = (uint32_t)o->threads,
        .log_level = (uint32_t)o->log_level,
        .flags = o->stats ? BOOT_FLAG_STATS : 0,
        .quiet = true,
        .reports = o->stats || o->report || o->strace || o->trace_files,
        .argv = (const char *const *)argv,
        .envp = (const char *const *)environment,
        .cwd = o->cwd,
        .options = lo.list,
    };

    if (!o->quiet) {
        fprintf(stderr, "nacre exec: developer mode, unprotected: %s come from the host (%s)\n",
                o->sealed != NULL ? "the sealing key and arguments" : "files and arguments",
                backend->name);
    }
    r = loader_load(backend, &image, &sigstruct, &options, &l, err);
    ct_wipe(&lo, sizeof(lo));
    free_environment(environment);
    if (r < 0) {
        (void)close(root);
        return r;
    }
    r = loader_run(l, &status, err);
    end_process(r, status, *err);
}

int cmd_exec(int argc, char **argv, struct error **err)
{
    struct exec_options o = {.cwd = "/", .log_level = 1};
    const struct arg_option options[] = {
        {"root", 'r', ARG_STRING, "DIR", "directory that becomes / (default /)", &o.root},
        {"cwd", 'C', ARG_STRING, "DIR", "working directory inside (default /)", &o.cwd},
        {"env", 'e', ARG_LIST, "K[=V]", "environment variable; without =V the host's", &o.env},
        {"memory", 'm', ARG_U64, "BYTES", "limit of enclave memory (default: RAM)", &o.memory},
        {"threads", 0, ARG_U64, "N", "limit of threads (default: none)", &o.threads},
        {"strace", 0, ARG_FLAG, NULL, "show every system call", &o.strace},
        {"syscall-report", 0, ARG_FLAG, NULL, "at the end, list missing and refused calls",
         &o.report},
        {"stats", 0, ARG_FLAG, NULL, "at the end, print exits, faults, pages as JSON", &o.stats},
        {"trace-files", 0, ARG_FLAG, NULL, "at the end, list the files that were opened as JSON",
         &o.trace_files},
        {"no-rewrite", 0, ARG_FLAG, NULL, "emulate every system call; rewrite none", &o.no_rewrite},
        {"read-only", 0, ARG_FLAG, NULL, "no in-memory overlay: writes below / fail", &o.read_only},
        {"sealed", 0, ARG_STRING, "FILE", "a sealed image as the root, instead of --root",
         &o.sealed},
        {"key", 0, ARG_STRING, "FILE", "its sealing key (passes through the host: unprotected)",
         &o.key},
        {"sealed-root", 0, ARG_STRING, "HEX", "refuse any other sealed image", &o.sealed_root},
        {"sealed-cache", 0, ARG_U64, "BYTES",
         "opened blocks kept (default: a quarter of --memory, at most 1 GiB)", &o.sealed_cache},
        {"manifest", 0, ARG_STRING, "FILE", "measure this manifest with the enclave", &o.manifest},
        {"libos", 0, ARG_STRING, "FILE", "the enclave (default: $" LIBOS_ENV ", installed one)",
         &o.libos},
        {"log-level", 0, ARG_U64, "N", "0 errors to 4 trace (default 1)", &o.log_level},
        {"quiet", 'q', ARG_FLAG, NULL, "do not say that this mode is unprotected", &o.quiet},
        {},
    };
    const struct arg_spec spec = {
        .verb = "nacre exec",
        .synopsis = "[OPTIONS] -- PROGRAM [ARGUMENTS]",
        .summary = "Run an unmodified program in an enclave, in developer mode (unprotected).",
        .options = options,
        .examples = "  nacre exec -- /bin/ls -l /\n"
                    "  nacre exec --root ./rootfs -- python3 -c 'print(1)'\n"
                    "  nacre exec --sealed app.nseal --key app.key -- /bin/sh -c 'ls /'\n"
                    "  nacre exec --strace --syscall-report -- ./prog\n",
        .notes = "The directory is read-only below an overlay in enclave memory: what the program "
                 "writes\nis gone at its end. Nothing is attested; 'nacre convert' makes protected "
                 "images.\nExits with the program's status; 125 when it could not be started.",
        .min_args = 1,
        .max_args = SIZE_MAX,
        .stop_at_positional = true,
    };
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    if (o.log_level > 4) {
        error_set(err, EINVAL, "--log-level is 0 (errors) to 4 (trace)");
        return CLI_USAGE;
    }
    argv[count] = NULL;
    (void)run(&o, argv, err);
    return CLI_CANNOT_START;
}
