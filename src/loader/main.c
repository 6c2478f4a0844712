/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* nacre-loader: runs one enclave in this process. The entry point of converted images. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/args.h"
#include "base/fs.h"
#include "loader/loader.h"

#define ELF_MAX      ((size_t)256 << 20)
#define MANIFEST_MAX ((size_t)1 << 20)

enum { EXIT_CANNOT_RUN = 125, EXIT_USAGE = 2 };

struct command_line {
    const char *sigstruct;
    const char *manifest;
    const char *mode;
    const char *bundle;
    const char *image;
    uint64_t base;
    uint64_t memory;
    uint64_t threads;
    uint64_t log_level;
    struct arg_list options;
    bool debug;
    bool quiet;
    bool stats;
};

struct files {
    struct fs_mapping elf;
    uint8_t *manifest;
    uint8_t *sigstruct;
    size_t manifest_size, sigstruct_size;
};

static void files_free(struct files *f)
{
    fs_unmap(&f->elf);
    free(f->manifest);
    free(f->sigstruct);
}

static int read_files(const struct command_line *c, const char *enclave, struct files *ret,
                      struct error **err)
{
    _cleanup_free_ char *beside = NULL;
    const char *sig = c->sigstruct;
    int r;

    if (sig == NULL) {
        if (asprintf(&beside, "%s.sig", enclave) < 0) {
            beside = NULL;
            return error_set_errno(err, ENOMEM, "starting");
        }
        sig = beside;
    }
    r = fs_map_file(enclave, ELF_MAX, &ret->elf, err);
    if (r == 0) {
        r = fs_read_file(sig, sizeof(struct sgx_sigstruct), &ret->sigstruct, &ret->sigstruct_size,
                         err);
    }
    if (r == 0 && c->manifest != NULL) {
        r = fs_read_file(c->manifest, MANIFEST_MAX, &ret->manifest, &ret->manifest_size, err);
    }
    if (r == 0 && ret->sigstruct_size != sizeof(struct sgx_sigstruct)) {
        return error_set(err, EINVAL, "%s: a SIGSTRUCT has %zu bytes, this file has %zu", sig,
                         sizeof(struct sgx_sigstruct), ret->sigstruct_size);
    }
    return r;
}

static int choose_mode(const char *word, const struct sgx_backend **ret, struct error **err)
{
    enum loader_mode mode;
    int r;

    if (word != NULL && setenv("NACRE_MODE", word, 1) < 0) {
        return error_set_errno(err, errno, "--mode");
    }
    r = loader_mode_from_env(&mode, err);
    return r < 0 ? r : loader_backend_for(mode, ret, err);
}

static int run(const struct command_line *c, char **argv, int *ret_status, struct error **err)
{
    const struct loader_options options = {
        .base = c->base,
        .memory_limit = c->memory,
        .thread_max = (uint32_t)c->threads,
        .log_level = (uint32_t)c->log_level,
        .flags = c->stats ? BOOT_FLAG_STATS : 0,
        .reports = c->stats,
        .debug = c->debug,
        .quiet = c->quiet,
        .argv = (const char *const *)argv,
        .envp = (const char *const *)environ,
        .image_path = c->image,
        .options = c->options.values,
    };
    _cleanup_(files_free) struct files files = {};
    const struct sgx_backend *backend;
    struct loader_image image;
    struct loader *l;
    int r = read_files(c, argv[0], &files, err);

    if (r == 0) {
        r = choose_mode(c->mode, &backend, err);
    }
    if (r < 0) {
        return r;
    }
    image = (struct loader_image){.elf = files.elf.data,
                                  .elf_size = files.elf.size,
                                  .manifest = files.manifest,
                                  .manifest_size = files.manifest_size};
    r = loader_load(backend, &image, (const struct sgx_sigstruct *)(const void *)files.sigstruct,
                    &options, &l, err);
    if (r == 0) {
        r = loader_run(l, ret_status, err);
        /* Other threads may still be inside; the process ends with all of them. */
    }
    return r;
}

/* The directory of this program, when it is a bundle: as the entry point of a container all
 * arguments are the engine's, and the enclave takes none from it. */
static bool is_entry_point(char *dir, size_t size)
{
    const ssize_t n = readlink("/proc/self/exe", dir, size - 1);
    char *slash;

    if (n <= 0) {
        return false;
    }
    dir[n] = '\0';
    slash = strrchr(dir, '/');
    *(slash == dir ? slash + 1 : slash) = '\0';
    return loader_is_bundle(dir);
}

static int exit_status(int r, int status, struct error *err)
{
    if (r < 0) {
        fprintf(stderr, "nacre-loader: %s\n", error_text(err));
        status = r == -ECANCELED ? 134 : r == -EFAULT ? 139 : EXIT_CANNOT_RUN;
    }
    fflush(NULL);
    return status;
}

static int run_entry_point(const char *dir)
{
    const char *stats = getenv("NACRE_STATS");
    const struct bundle_options options = {.dir = dir, .stats = stats != NULL && *stats != '\0'};
    _cleanup_error_ struct error *err = NULL;
    int status = EXIT_CANNOT_RUN;
    int r = loader_run_bundle(&options, &status, &err);

    return exit_status(r, status, err);
}

static int usage_check(const struct command_line *c, size_t count, struct error **err)
{
    if ((c->bundle != NULL) != (count == 0)) {
        return error_set(err, EINVAL, "%s",
                         c->bundle != NULL
                             ? "--bundle takes no arguments: the "
                               "enclave gets them from its CAS"
                             : "an argument is missing: name an enclave, or --bundle DIR");
    }
    if (c->log_level > 4) {
        return error_set(err, EINVAL, "--log-level %ju: use 0 (errors) to 4 (trace)",
                         (uintmax_t)c->log_level);
    }
    if (c->options.count == ARG_LIST_MAX) { /* the list ends with NULL */
        return error_set(err, EINVAL, "more than %d --option", ARG_LIST_MAX - 1);
    }
    if (c->threads > UINT32_MAX) {
        return error_set(err, EINVAL, "--threads %ju is too many", (uintmax_t)c->threads);
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct command_line c = {.base = loader_default_base(), .log_level = 1};
    const struct arg_option options[] = {
        {"bundle", 0, ARG_STRING, "DIR", "start a converted image's bundle", &c.bundle},
        {"sigstruct", 's', ARG_STRING, "FILE", "SIGSTRUCT (default: ENCLAVE.sig)", &c.sigstruct},
        {"manifest", 'm', ARG_STRING, "FILE", "manifest, measured with the enclave", &c.manifest},
        {"mode", 0, ARG_STRING, "MODE", "auto, hw or soft (default: $NACRE_MODE, auto)", &c.mode},
        {"image", 0, ARG_STRING, "FILE", "sealed image", &c.image},
        {"memory", 0, ARG_U64, "BYTES", "limit of enclave memory", &c.memory},
        {"threads", 0, ARG_U64, "N", "limit of host threads", &c.threads},
        {"log-level", 0, ARG_U64, "N", "0 errors to 4 trace (default 1)", &c.log_level},
        {"option", 'o', ARG_LIST, "NAME=VALUE", "unprotected option of the library OS", &c.options},
        {"base", 0, ARG_U64, "ADDRESS", "where the enclave lies; enters no measurement", &c.base},
        {"debug", 0, ARG_FLAG, NULL, "a debug enclave, if the SIGSTRUCT leaves it open", &c.debug},
        {"stats", 0, ARG_FLAG, NULL, "report counters at exit (to $NACRE_STATS)", &c.stats},
        {"quiet", 'q', ARG_FLAG, NULL, "do not say what the enclave runs on", &c.quiet},
        {},
    };
    const struct arg_spec spec = {
        .verb = "nacre-loader",
        .synopsis = "[OPTIONS] ENCLAVE [ARGUMENTS] | --bundle DIR",
        .summary = "Build an enclave, enter it and serve it until it exits.",
        .options = options,
        .examples = "  nacre-loader enclave.elf\n"
                    "  NACRE_CAS=cas:18765 NACRE_CONFIG_ID=shop/web nacre-loader --bundle /nacre\n"
                    "  nacre-loader --mode soft --manifest app.manifest libos.elf\n",
        .notes = "Exits with the enclave's status; 125 when it could not be started, 134 when it\n"
                 "gave up, 139 when it died of an exception. Options change no measurement.\n"
                 "Beside a bundle (libos.elf, sigstruct, manifest) it starts that, whatever its\n"
                 "arguments, with what the environment says: NACRE_CAS, NACRE_CONFIG_ID,\n"
                 "NACRE_CAS_TIMEOUT, NACRE_MODE, NACRE_MEMORY, NACRE_LOG, NACRE_VOLUMES.",
        .min_args = 0,
        .max_args = BOOT_STRINGS_MAX,
        .stop_at_positional = true,
    };
    _cleanup_error_ struct error *err = NULL;
    int status = EXIT_CANNOT_RUN;
    char dir[4096];
    size_t count;
    int r;

    if (is_entry_point(dir, sizeof(dir))) {
        _exit(run_entry_point(dir));
    }
    r = args_parse(&spec, argc, argv, &count, &err);

    if (r > 0) {
        return 0;
    }
    if (r == 0) {
        r = usage_check(&c, count, &err);
    }
    if (r < 0) {
        fprintf(stderr, "nacre-loader: %s\n", error_text(err));
        return EXIT_USAGE;
    }
    argv[count] = NULL;
    if (c.bundle != NULL) {
        r = loader_run_bundle(
            &(struct bundle_options){.dir = c.bundle, .quiet = c.quiet, .stats = c.stats}, &status,
            &err);
    } else {
        r = run(&c, argv, &status, &err);
    }
    _exit(exit_status(r, status, err));
}
