/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * nacre run: starts a converted image without a container engine. It does what an engine would:
 * takes the bundle out of the image's top layer and executes the loader with the image's
 * environment. Nothing here is trusted, so a cached bundle that somebody changed does not start, or
 * gets no keys.
 */

#include "cli/cli.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/state_dir.h"
#include "cli/sealed_args.h"
#include "image/bundle_read.h"
#include "seal/manifest.h"

#define RUN_ENV_MAX 1024u

struct run_args {
    const char *cas;
    const char *config_id;
    const char *mode;
    const char *memory;
    struct arg_list env;
    struct arg_list volumes;
    struct arg_list ports;
    bool prune;
    bool refresh;
};

/* ---- the environment of the loader ---- */

struct environment {
    char *at[RUN_ENV_MAX + 1]; /* owned "NAME=VALUE", NULL at the end */
    size_t count;
};

static void environment_free(struct environment *e)
{
    for (size_t i = 0; i < e->count; i++) {
        free(e->at[i]);
    }
}

/* Adds or replaces; takes a copy. */
static int environment_set(struct environment *e, const char *entry, struct error **err)
{
    const char *equal = strchr(entry, '=');
    size_t i = 0;
    char *copy;

    if (equal == NULL || equal == entry) {
        return error_set(err, EINVAL, "'%s' is not NAME=VALUE", entry);
    }
    while (i < e->count && strncmp(e->at[i], entry, (size_t)(equal - entry) + 1) != 0) {
        i++;
    }
    if (i == RUN_ENV_MAX) {
        return error_set(err, E2BIG, "more than %u environment variables", RUN_ENV_MAX);
    }
    copy = strdup(entry);
    if (copy == NULL) {
        return error_set_errno(err, ENOMEM, "starting");
    }
    if (i == e->count) {
        e->count++;
    } else {
        free(e->at[i]);
    }
    e->at[i] = copy;
    return 0;
}

static int environment_name(struct environment *e, const char *name, const char *value,
                            struct error **err)
{
    _cleanup_free_ char *entry = NULL;

    if (value == NULL) {
        return 0;
    }
    if (asprintf(&entry, "%s=%s", name, value) < 0) {
        entry = NULL;
        return error_set_errno(err, ENOMEM, "starting");
    }
    return environment_set(e, entry, err);
}

/* Of the caller's environment only what tells the loader about this machine. */
static int environment_of_caller(struct environment *e, struct error **err)
{
    static const char *const names[] = {"HOME",       "NACRE_LOG",       "NACRE_MODE",
                                        "SCONE_MODE", "NACRE_STATE_DIR", "XDG_STATE_HOME"};
    int r = 0;

    for (size_t i = 0; i < ARRAY_COUNT(names) && r == 0; i++) {
        r = environment_name(e, names[i], getenv(names[i]), err);
    }
    return r;
}

static int environment_of_image(struct environment *e, const struct img_source *source,
                                struct error **err)
{
    json_t *root = json_loadb((const char *)source->config, source->config_size, 0, NULL);
    json_t *list = json_object_get(json_object_get(root, "config"), "Env");
    size_t i;
    json_t *entry;
    int r = 0;

    json_array_foreach(list, i, entry)
    {
        const char *text = json_string_value(entry);

        r = text == NULL ? error_set(err, EBADMSG, "the image's environment is no list of strings")
                         : environment_set(e, text, err);
        if (r < 0) {
            break;
        }
    }
    json_decref(root);
    return r;
}

static int environment_of_options(struct environment *e, const struct run_args *a,
                                  struct error **err)
{
    _cleanup_free_ char *volumes = strdup("");
    int r = 0;

    for (size_t i = 0; i < a->env.count && r == 0; i++) {
        r = environment_set(e, a->env.values[i], err);
    }
    for (size_t i = 0; i < a->volumes.count && r == 0; i++) {
        char *longer = NULL;

        if (strchr(a->volumes.values[i], '=') == NULL) {
            return error_set(err, EINVAL, "--volume wants NAME=FILE, not '%s'",
                             a->volumes.values[i]);
        }
        if (volumes == NULL ||
            asprintf(&longer, "%s%s%s", volumes, i > 0 ? ":" : "", a->volumes.values[i]) < 0) {
            return error_set_errno(err, ENOMEM, "starting");
        }
        free(volumes);
        volumes = longer;
    }
    if (r == 0 && a->volumes.count > 0) {
        r = environment_name(e, "NACRE_VOLUMES", volumes, err);
    }
    if (r == 0) {
        r = environment_name(e, "NACRE_CAS", a->cas, err);
    }
    if (r == 0) {
        r = environment_name(e, "NACRE_CONFIG_ID", a->config_id, err);
    }
    if (r == 0) {
        r = environment_name(e, "NACRE_MODE", a->mode, err);
    }
    return r < 0 ? r : environment_name(e, "NACRE_MEMORY", a->memory, err);
}

/* Without an engine there is no network of the container's own to map from. */
static int check_ports(const struct arg_list *ports, struct error **err)
{
    for (size_t i = 0; i < ports->count; i++) {
        const char *colon = strrchr(ports->values[i], ':');
        const char *host = colon;

        if (colon == NULL) {
            continue;
        }
        while (host > ports->values[i] && host[-1] != ':') {
            host--;
        }
        if (strncmp(host, colon + 1, (size_t)(colon - host)) != 0 ||
            strlen(colon + 1) != (size_t)(colon - host)) {
            return error_set(err, ENOTSUP,
                             "--publish %s: without a container engine the application listens on "
                             "this machine's own ports; only equal numbers can be had",
                             ports->values[i]);
        }
    }
    return 0;
}

/* ---- the bundle ---- */

static int remove_dir(const char *path, struct error **err)
{
    const int r = fs_remove_tree(path);

    return r < 0 ? error_set_errno(err, -r, "removing %s", path) : 0;
}

static int prune(const char *cache, struct error **err)
{
    DIR *d = opendir(cache);
    const struct dirent *e;
    int r = 0;

    if (d == NULL) {
        return error_set_errno(err, errno, "opening %s", cache);
    }
    while (r == 0 && (e = readdir(d)) != NULL) {
        _cleanup_free_ char *path = NULL;

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
            strcmp(e->d_name, ".lock") == 0) {
            continue;
        }
        if (asprintf(&path, "%s/%s", cache, e->d_name) < 0) {
            path = NULL;
            r = error_set_errno(err, ENOMEM, "removing %s", cache);
            break;
        }
        r = remove_dir(path, err);
    }
    (void)closedir(d);
    return r;
}

/* Extracts beside the final name and renames, so that a bundle is there whole or not at all. */
static int fill(const struct img_source *source, const char *cache, const char *dir,
                struct error **err)
{
    _cleanup_free_ char *fresh = NULL;
    struct progress_line line;
    struct img_progress hook;
    int r;

    if (asprintf(&fresh, "%s/new-XXXXXX", cache) < 0) {
        fresh = NULL;
        return error_set_errno(err, ENOMEM, "starting");
    }
    if (mkdtemp(fresh) == NULL) {
        return error_set_errno(err, errno, "making a directory in %s", cache);
    }
    progress_start(&line, "unpacking",
                   source->layer_count == 0 ? 0
                                            : source->layers[source->layer_count - 1].region.size);
    hook = progress_hook(&line);
    r = img_bundle_extract(source, fresh, &hook, err);
    progress_end(&line);
    if (r == 0 && rename(fresh, dir) != 0 && errno != EEXIST && errno != ENOTEMPTY) {
        r = error_set_errno(err, errno, "naming %s", dir);
    }
    if (access(fresh, F_OK) == 0) { /* failed, or another run was first */
        (void)remove_dir(fresh, NULL);
    }
    return r;
}

static int find_bundle(const struct img_source *source, const char *cache, bool refresh, char **ret,
                       struct error **err)
{
    const char *colon = strchr(source->digest, ':');
    char *dir;
    int r = 0;

    if (asprintf(&dir, "%s/%s", cache, colon == NULL ? source->digest : colon + 1) < 0) {
        return error_set_errno(err, ENOMEM, "starting");
    }
    if (refresh) {
        _cleanup_free_ char *root = NULL;

        r = remove_dir(dir, err);
        if (r == 0 && asprintf(&root, "%s.root", dir) < 0) {
            root = NULL;
            r = error_set_errno(err, ENOMEM, "starting");
        }
        if (r == 0) {
            r = remove_dir(root, err);
        }
    }
    if (r == 0 && access(dir, F_OK) != 0) {
        r = fill(source, cache, dir, err);
    }
    if (r < 0) {
        free(dir);
        return r;
    }
    *ret = dir;
    return 0;
}

/* ---- a partly sealed image: the rest of its files ---- */

static int spawn(const char *const *argv, struct error **err)
{
    posix_spawn_file_actions_t actions;
    int status = 0;
    pid_t pid;
    int r = posix_spawn_file_actions_init(&actions);

    if (r != 0) {
        return error_set_errno(err, r, "starting %s", argv[0]);
    }
    /* Their words are for the diagnosis, not for the application's standard output. */
    r = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    if (r == 0) {
        r = posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    if (r != 0) {
        return error_set(err, r,
                         "%s cannot be started (%s); it unpacks the unsealed part of this image: "
                         "apt-get install %s, or use a container engine",
                         argv[0], strerror(r), argv[0]);
    }
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return error_set_errno(err, errno, "waiting for %s", argv[0]);
        }
    }
    return status == 0 ? 0 : error_set(err, EIO, "%s failed, see above", argv[0]);
}

/* umoci reads layouts; skopeo makes one of everything else. */
static int unpack_layout(const char *reference, const char *scratch, struct error **err)
{
    _cleanup_free_ char *image = NULL;
    _cleanup_free_ char *copy = NULL;
    _cleanup_free_ char *bundle = NULL;
    const char *mode = geteuid() == 0 ? "--keep-dirlinks" : "--rootless";
    int r = 0;

    if (asprintf(&bundle, "%s/unpacked", scratch) < 0) {
        bundle = NULL;
        return error_set_errno(err, ENOMEM, "starting");
    }
    if (strncmp(reference, "oci:", 4) == 0) {
        const char *rest = reference + 4;
        const char *slash = strrchr(rest, '/');
        const bool tagged = strchr(slash == NULL ? rest : slash, ':') != NULL;

        if (asprintf(&image, "%s%s", rest, tagged ? "" : ":latest") < 0) {
            image = NULL;
            return error_set_errno(err, ENOMEM, "starting");
        }
    } else {
        if (asprintf(&image, "%s/layout:image", scratch) < 0) {
            image = NULL;
            return error_set_errno(err, ENOMEM, "starting");
        }
        if (asprintf(&copy, "oci:%s", image) < 0) {
            copy = NULL;
            return error_set_errno(err, ENOMEM, "starting");
        }
        r = spawn((const char *const[]){"skopeo", "copy", "--quiet", reference, copy, NULL}, err);
    }
    if (r == 0) {
        r = spawn((const char *const[]){"umoci", "--log=error", "unpack", mode, "--image", image,
                                        bundle, NULL},
                  err);
    }
    return r;
}

/* Unpacks the ordinary layers once, beside the bundle, as an engine would. */
static int unpack_root(const char *reference, const char *cache, const char *bundle, char **ret,
                       struct error **err)
{
    _cleanup_free_ char *scratch = NULL;
    _cleanup_free_ char *made = NULL;
    _cleanup_free_ char *root = NULL;
    int r;

    if (asprintf(&root, "%s.root", bundle) < 0) {
        root = NULL;
        return error_set_errno(err, ENOMEM, "starting");
    }
    if (access(root, F_OK) == 0) {
        *ret = TAKE_PTR(root);
        return 0;
    }
    if (asprintf(&scratch, "%s/new-XXXXXX", cache) < 0) {
        scratch = NULL;
        return error_set_errno(err, ENOMEM, "starting");
    }
    if (mkdtemp(scratch) == NULL) {
        return error_set_errno(err, errno, "making a directory in %s", cache);
    }
    fprintf(stderr, "nacre run: unpacking the part of the image that is not sealed\n");
    r = unpack_layout(reference, scratch, err);
    if (r == 0 && asprintf(&made, "%s/unpacked/rootfs", scratch) < 0) {
        made = NULL;
        r = error_set_errno(err, ENOMEM, "starting");
    }
    if (r == 0 && rename(made, root) != 0 && errno != EEXIST && errno != ENOTEMPTY) {
        r = error_set_errno(err, errno, "naming %s", root);
    }
    (void)remove_dir(scratch, NULL);
    if (r == 0) {
        *ret = TAKE_PTR(root);
    }
    return r;
}

/* 1 when the manifest lets files of the container through, 0 when everything is sealed. */
static int passes_files(const char *bundle, struct error **err)
{
    _cleanup_free_ char *path = NULL;
    _cleanup_free_ uint8_t *data = NULL;
    struct manifest m;
    size_t size;
    int r;

    if (asprintf(&path, "%s/%s", bundle, IMG_BUNDLE_MANIFEST) < 0) {
        path = NULL;
        return error_set_errno(err, ENOMEM, "starting");
    }
    r = fs_read_file(path, MANIFEST_SIZE_MAX, &data, &size, err);
    if (r < 0) {
        return r;
    }
    /* What is no manifest is the loader's to refuse, in its own words. */
    return manifest_parse(data, size, &m) == 0 && (m.header.flags & MANIFEST_HOST_BELOW) != 0;
}

/* ---- */

static int start(const char *bundle, struct environment *e, struct error **err)
{
    _cleanup_free_ char *loader = NULL;

    if (asprintf(&loader, "%s/%s", bundle, IMG_BUNDLE_LOADER) < 0) {
        loader = NULL;
        return error_set_errno(err, ENOMEM, "starting");
    }
    execve(loader, (char *const[]){loader, NULL}, e->at);
    return error_set_errno(err, errno, "starting %s", loader);
}

static int run_image(const char *reference, const struct run_args *a, const char *cache,
                     struct error **err)
{
    _cleanup_img_source_ struct img_source *source = NULL;
    _cleanup_(environment_free) struct environment e = {0};
    _cleanup_free_ char *bundle = NULL;
    _cleanup_free_ char *root = NULL;
    int r = img_source_open(reference, &source, err);

    if (r == 0) {
        r = environment_of_caller(&e, err);
    }
    if (r == 0) {
        r = environment_of_image(&e, source, err);
    }
    if (r == 0) {
        r = environment_of_options(&e, a, err);
    }
    if (r == 0) {
        r = find_bundle(source, cache, a->refresh, &bundle, err);
    }
    if (r == 0) {
        r = passes_files(bundle, err);
    }
    if (r > 0) {
        r = unpack_root(reference, cache, bundle, &root, err);
        if (r == 0) {
            r = environment_name(&e, "NACRE_ROOT", root, err);
        }
    }
    return r < 0 ? r : start(bundle, &e, err);
}

int cmd_run(int argc, char **argv, struct error **err)
{
    struct run_args a = {0};
    const struct arg_option options[] = {
        {"cas", 0, ARG_STRING, "HOST[:PORT]", "where the CAS is (port 18765 by default)", &a.cas},
        {"config-id", 0, ARG_STRING, "SESSION/SERVICE", "the session, instead of the image's own",
         &a.config_id},
        {"env", 'e', ARG_LIST, "NAME=VALUE", "for the loader; gets in if the manifest allows it",
         &a.env},
        {"volume", 'v', ARG_LIST, "NAME=FILE", "a sealed volume of the session, and its file",
         &a.volumes},
        {"publish", 'p', ARG_LIST, "PORT:PORT", "checked only: there is no second network here",
         &a.ports},
        {"mode", 0, ARG_STRING, "auto|hw|soft", "hw never falls back to software", &a.mode},
        {"memory", 'm', ARG_STRING, "SIZE", "limit of the enclave's memory", &a.memory},
        {"refresh", 0, ARG_FLAG, NULL, "unpack the image again", &a.refresh},
        {"prune", 0, ARG_FLAG, NULL, "remove every unpacked image and stop", &a.prune},
        {NULL}};
    const struct arg_spec spec = {
        .verb = "nacre run",
        .synopsis = "[OPTIONS] IMAGE",
        .summary = "Run a converted image without a container engine.",
        .options = options,
        .examples = "  nacre run oci:flask_restapi_image --cas localhost\n"
                    "  nacre run docker-archive:app.tar -e LANG=C.UTF-8 -v data=data.nseal\n",
        .notes =
            "Program, arguments and environment come from the session at the CAS; -e sets "
            "only what the\nmanifest lets the host set. Exit codes are the application's; 125: "
            "the image could not be\nstarted; 64 to 78: the agent's "
            "(docs/formats/provisioning.md). Unpacked images are kept in\nthe state directory "
            "under images/.",
        .max_args = 1,
    };
    _cleanup_free_ char *cache = NULL;
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    if (!a.prune && count != 1) {
        (void)error_set(err, EINVAL, "name an image; 'nacre run --help' has examples");
        return CLI_USAGE;
    }
    if (check_ports(&a.ports, err) < 0) {
        return CLI_USAGE;
    }
    r = state_dir_make("images", &cache, err);
    if (r < 0) {
        return CLI_CANNOT_START;
    }
    if (a.prune) {
        return prune(cache, err) < 0 ? CLI_FAILED : CLI_OK;
    }
    (void)run_image(argv[0], &a, cache, err); /* returns only when it failed */
    return CLI_CANNOT_START;
}
