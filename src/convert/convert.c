/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "convert/convert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "convert/bundle.h"
#include "convert/closure.h"
#include "convert/command.h"
#include "convert/partial.h"
#include "convert/session.h"
#include "convert/target.h"
#include "convert/user.h"
#include "core/ct.h"
#include "core/hmac.h"
#include "image/seal_image.h"
#include "image/unseal.h"
#include "policy/text.h"

#define SALT_LABEL      "nacre convert salt v1"
#define DEFAULT_SERVICE "service"

struct conversion {
    const struct convert_options *o;
    struct target target;
    struct bundle bundle;
    struct img_source *source;
    struct image_config config;
    struct command command;
    struct secret *key; /* the sealing key */
    struct img_seal_result sealed;
    struct pol_session *session;
    struct program *program;
    struct pol_user user;
    const char *service;
    char full_name[POL_NAME_MAX + 1];
    uint8_t salt[SEALED_SALT_SIZE];
    bool is_partial;        /* only a part is sealed */
    int below_fd;           /* the rest, as a layer */
    struct img_layer below; /* borrows below_fd */
    uint64_t below_names;
};

static void conversion_done(struct conversion *c)
{
    img_source_freep(&c->source);
    secret_freep(&c->key);
    closep(&c->sealed.fd);
    closep(&c->below_fd);
    pol_freep(&c->session);
    image_config_done(&c->config);
    command_done(&c->command);
    bundle_done(&c->bundle);
    target_done(&c->target);
    free(c->program);
}
#define _cleanup_conversion_ _cleanup_(conversion_done)

static void note(const struct convert_options *o, const char *fmt, ...) _printf_(2, 3);
static void note(const struct convert_options *o, const char *fmt, ...)
{
    char text[1200];
    va_list ap;

    if (o->note == NULL) {
        return;
    }
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    o->note(o->ui_ctx, text);
}

static struct img_progress phase(const struct convert_options *o, const char *what, uint64_t total)
{
    return o->phase != NULL ? o->phase(o->ui_ctx, what, total) : (struct img_progress){0};
}

/* ---- before anything is read or written ----------------------------------------------------- */

static int check_options(const struct convert_options *o, struct conversion *c, struct error **err)
{
    int r = session_full_name(o->namespace, o->name, c->full_name, sizeof(c->full_name), err);

    c->service = o->service_name != NULL ? o->service_name : DEFAULT_SERVICE;
    if (r == 0 && !name_word_valid(c->service)) {
        r = error_set(err, EINVAL,
                      "--service-name '%.100s' is no name: letters, digits and _ . ~ -",
                      c->service);
    }
    r = r < 0 ? r : bundle_check_lists(o, err);
    r = r < 0 ? r : bundle_read(o, &c->bundle, err);
    return r < 0 ? r : target_parse(o->to, &c->target, err);
}

/* What of the image's configuration has no meaning for a sealed image is said, not lost. */
static void say_what_is_dropped(const struct conversion *c)
{
    const char *path;
    const json_t *value;
    json_t *volumes;

    if (c->config.has_healthcheck) {
        note(c->o, "HEALTHCHECK is left out: an engine runs it outside the enclave, where there is "
                   "nothing to run; probe the service's port instead");
    }
    if (json_object_size(c->config.volumes) == 0) {
        return;
    }
    volumes = json_deep_copy(c->config.volumes);
    json_object_foreach(volumes, path, value)
    {
        note(c->o,
             "VOLUME %.300s: lies in the enclave's memory and ends with it, unless the session "
             "declares a volume there",
             path);
    }
    json_decref(volumes);
}

static int open_source(struct conversion *c, struct error **err)
{
    int r = img_source_open(c->o->from, &c->source, err);

    r = r < 0 ? r : image_config_parse(c->source->config, c->source->config_size, &c->config, err);
    r = r < 0 ? r : command_make(&c->config, c->o->command, &c->command, err);
    if (r == 0) {
        say_what_is_dropped(c);
    }
    return r;
}

/* ---- the program ---------------------------------------------------------------------------- */

/* As the service will see it: the image's, or what --env says. */
static const char *variable_of(const struct conversion *c, const char *name)
{
    const char *value = image_config_getenv(&c->config, name);
    const size_t n = strlen(name);

    for (size_t i = 0; i < c->o->env.count; i++) {
        const char *s = c->o->env.items[i];

        if (strncmp(s, name, n) == 0 && s[n] == '=') {
            value = s + n + 1;
        }
    }
    return value;
}

static const char *path_of(const struct conversion *c)
{
    return variable_of(c, "PATH");
}

static int replace_word(struct command *c, const char *word, struct error **err)
{
    char *copy = strdup(word);

    if (copy == NULL) {
        return error_set_errno(err, ENOMEM, "making the command");
    }
    free(c->words[0]);
    c->words[0] = copy;
    return 0;
}

static int find(const struct conversion *c, const struct rootfs *fs, const char *word,
                struct error **err)
{
    return program_find(fs, word, path_of(c), c->config.workdir, c->program, err);
}

/*
 * The shell form of CMD and ENTRYPOINT is a shell that calls one program. Where that is all it
 * does, the program is called at once: what is measured and listed is then what runs. A program the
 * image does not have stays the shell's business (it may be a builtin).
 */
static int unshell(struct conversion *c, const struct rootfs *fs, struct error **err)
{
    _cleanup_command_ struct command words = {0};
    _cleanup_error_ struct error *why = NULL;
    bool plain;
    int r = command_unshell(&c->command, &plain, &words, err);

    if (r < 0 || !plain || find(c, fs, words.words[0], &why) < 0) {
        return r;
    }
    command_done(&c->command);
    c->command = words;
    words = (struct command){0};
    return 0;
}

/* The working directory must be there: engines make it, an image that is sealed cannot grow one
 * before its first program runs. */
static int check_workdir(const struct conversion *c, const struct rootfs *fs, struct error **err)
{
    _cleanup_free_ struct rootfs_file *f = malloc(sizeof(*f));
    int r;

    if (f == NULL) {
        return error_set_errno(err, ENOMEM, "looking at the image");
    }
    r = rootfs_resolve(fs, "/", c->config.workdir, f, err);
    if (r == 0 && (f->node.mode & 0170000u) == 0040000u) {
        return 0;
    }
    return error_set(err, ENOENT, "the image has no directory %.300s, its WORKDIR",
                     c->config.workdir);
}

static int settle_command(struct conversion *c, const struct rootfs *fs, struct error **err)
{
    int r = check_workdir(c, fs, err);

    c->program = calloc(1, sizeof(*c->program));
    if (c->program == NULL) {
        return error_set_errno(err, ENOMEM, "looking for the program");
    }
    if (r == 0 && c->o->binary != NULL) {
        r = find(c, fs, c->o->binary, err);
        if (r < 0) {
            (void)error_wrap(err, "--binary");
        }
    }
    r = r < 0 ? r : unshell(c, fs, err);
    r = r < 0 ? r : find(c, fs, c->command.words[0], err);
    return r < 0 ? r : replace_word(&c->command, c->program->name, err);
}

/* ---- sealing a part ------------------------------------------------------------------------- */

/* A #! line with env: the program it looks for in PATH, or NULL. Malloc'd. */
static int env_program(const struct rootfs *fs, const struct rootfs_file *script, char **ret,
                       struct error **err)
{
    char head[257] = {0};
    const char *p = head + 2;
    size_t size;
    int r = fs->read(fs->ctx, &script->node, 0, head, sizeof(head) - 1, &size, err);

    *ret = NULL;
    if (r < 0 || head[0] != '#' || head[1] != '!') {
        return r;
    }
    head[strcspn(head, "\n")] = '\0';
    p += strspn(p, " \t");
    if (strstr(p, "/env ") == NULL) {
        return 0;
    }
    p = strstr(p, "/env ") + 5;
    p += strspn(p, " \t");
    p += strncmp(p, "-S", 2) == 0 ? 2 + strspn(p + 2, " \t") : 0;
    *ret = strndup(p, strcspn(p, " \t\r"));
    return *ret == NULL ? error_set_errno(err, ENOMEM, "reading %.200s", script->path) : 0;
}

/* The directories of PATH that come before the one a program is in could be given one by a host. */
static int close_path(const struct conversion *c, struct partial *p, const char *word,
                      struct error **err)
{
    const char *path = path_of(c);
    int r = 0;

    path = path == NULL ? PROGRAM_DEFAULT_PATH : path;
    for (; r == 0 && *path != '\0'; path += strcspn(path, ":"), path += *path == ':') {
        char dir[ROOTFS_PATH_MAX + 1];
        const int n = snprintf(dir, sizeof(dir), "%.*s", (int)strcspn(path, ":"), path);

        if (n > 0 && (size_t)n < sizeof(dir) && dir[0] == '/') {
            r = partial_hide(p, dir, word, err);
        }
    }
    return r;
}

/* A program, what runs it and what both load. Gives the program that a script has env look for. */
static int seal_one(struct conversion *c, struct partial *p, const char *word,
                    char **ret_behind_env, struct error **err)
{
    const struct closure_options o = {
        .program = c->program,
        .library_path = variable_of(c, "LD_LIBRARY_PATH"),
        .preload = variable_of(c, "LD_PRELOAD"),
    };
    int r;

    p->marking = true;
    r = find(c, &p->fs, word, err);
    p->marking = false;
    r = r < 0 ? r : closure_seal(p, &o, err);
    return r < 0 ? r : env_program(&p->fs, &c->program->file, ret_behind_env, err);
}

static int seal_program(struct conversion *c, struct partial *p, const char *first,
                        struct error **err)
{
    _cleanup_free_ char *word = strdup(first);

    if (word == NULL) {
        return error_set_errno(err, ENOMEM, "looking for the program");
    }
    for (unsigned scripts = 0; scripts <= PROGRAM_SHEBANGS_MAX; scripts++) {
        _cleanup_free_ char *behind = NULL;
        int r = seal_one(c, p, word, &behind, err);

        if (r < 0 || behind == NULL || strcmp(behind, word) == 0) {
            return r;
        }
        r = close_path(c, p, behind, err);
        if (r < 0) {
            return r;
        }
        free(word);
        word = TAKE_PTR(behind);
    }
    return error_set(err, ENOEXEC,
                     "%.300s in the image is a script of scripts behind env, nested deeper than %u",
                     first, PROGRAM_SHEBANGS_MAX);
}

/* What the command names and the seal does not have is the host's: worth a word. */
static void warn_of_arguments(const struct conversion *c, const struct partial *p)
{
    _cleanup_free_ struct rootfs_file *f = malloc(sizeof(*f));

    for (size_t i = 1; f != NULL && i < c->command.count; i++) {
        const char *word = c->command.words[i];

        if (word[0] == '/' && rootfs_resolve(&p->fs, "/", word, f, NULL) == 0 &&
            (p->tree->entries[partial_entry(&f->node)].mark & PARTIAL_SEALED) == 0) {
            note(c->o, "%.300s, which the command names, stays unprotected; add --dir for it",
                 word);
        }
    }
}

static int choose_part(struct conversion *c, struct partial *p, struct error **err)
{
    const struct convert_options *o = c->o;
    int r = 0;

    if (o->dirs.count == 0) {
        partial_seal_all(p);
    }
    for (size_t i = 0; r == 0 && i < o->dirs.count; i++) {
        r = partial_seal(p, o->dirs.items[i], err);
        if (r < 0) {
            (void)error_wrap(err, "--dir");
        }
    }
    for (size_t i = 0; r == 0 && i < o->plain.count; i++) {
        r = partial_unseal(p, o->plain.items[i], err);
        if (r < 0) {
            (void)error_wrap(err, "--plain");
        }
    }
    return r;
}

/* Called between the two readings of the layers: names and sizes are known, nothing is written. */
static int split(void *ctx, const struct img_source *source, struct img_tree *t, struct error **err)
{
    struct conversion *c = ctx;
    _cleanup_partial_ struct partial p;
    const struct img_progress silent = {0};
    int r = partial_init(&p, source, t, c->o->unpacked_max);

    p.note = c->o->note;
    p.note_ctx = c->o->ui_ctx;
    r = r < 0 ? r : settle_command(c, &p.fs, err);
    r = r < 0 ? r : user_resolve(&p.fs, c->config.user, &c->user, err);
    r = r < 0 ? r : choose_part(c, &p, err);
    if (r == 0 && c->o->binary != NULL) {
        r = seal_program(c, &p, c->o->binary, err);
    }
    r = r < 0 ? r : seal_program(c, &p, c->command.words[0], err);
    r = r < 0 ? r : partial_settle_links(&p, err);
    if (r == 0) {
        warn_of_arguments(c, &p);
        r = partial_split(&p, &silent, &c->below_fd, &c->below, &c->below_names, err);
    }
    return r;
}

/* ---- sealing -------------------------------------------------------------------------------- */

static int take_key(void *ctx, const uint8_t key[static SEALED_KEY_SIZE], struct error **err)
{
    struct conversion *c = ctx;
    int r = secret_copy(key, SEALED_KEY_SIZE, &c->key);

    return r < 0 ? error_set_errno(err, -r, "keeping the sealing key") : 0;
}

/* With a master key and no salt the salt follows from both, so that nothing is left to chance. The
 * source's digest goes in keyed: the salt is public and must not tell what was converted. */
static const uint8_t *choose_salt(struct conversion *c)
{
    struct hmac_sha256 h;

    if (c->o->salt != NULL || c->o->master == NULL) {
        return c->o->salt;
    }
    hmac_sha256_init(&h, c->o->master, SEALED_KEY_SIZE);
    hmac_sha256_update(&h, SALT_LABEL, sizeof(SALT_LABEL));
    hmac_sha256_update(&h, c->source->digest, strlen(c->source->digest));
    hmac_sha256_final(&h, c->salt);
    return c->salt;
}

static int seal(struct conversion *c, struct error **err)
{
    const struct convert_options *o = c->o;
    const struct img_seal_options options = {
        .master = o->master,
        .salt = choose_salt(c),
        .unpacked_max = o->unpacked_max,
        .progress = phase(o, "sealing", 2 * c->source->layers_size),
        .key_ready = take_key,
        .key_ctx = c,
        .shape = c->is_partial ? split : NULL,
        .shape_ctx = c,
        .scratch = true,
    };
    int r = img_seal(c->source, c->target.path, &options, &c->sealed, err);

    (void)phase(o, NULL, 0);
    if (r == 0 && c->sealed.stats.xattrs_skipped > 0) {
        note(o, "%llu extended attributes with prefixes Linux does not have were left out",
             (unsigned long long)c->sealed.stats.xattrs_skipped);
    }
    return r;
}

/* Everything above is asked of the image as it was sealed: what is checked is what will run. */
static int check_sealed(struct conversion *c, struct error **err)
{
    _cleanup_sealed_file_ struct sealed_file *file = NULL;
    const int fd = dup(c->sealed.fd);
    struct rootfs fs;
    struct erofs erofs;
    int r;

    if (fd < 0) {
        return error_set_errno(err, errno, "reading back the sealed image");
    }
    r = sealed_file_open_fd(fd, "the sealed image", c->key->data, c->sealed.root, &file, err);
    r = r < 0 ? r : sealed_file_erofs(file, &erofs, err);
    if (r < 0) {
        return r;
    }
    rootfs_sealed(&erofs, file, &fs);
    if (c->is_partial) { /* settled before it was split: the program must be on this side */
        return find(c, &fs, c->command.words[0], err);
    }
    r = settle_command(c, &fs, err);
    return r < 0 ? r : user_resolve(&fs, c->config.user, &c->user, err);
}

/* ---- the session ---------------------------------------------------------------------------- */

static bool allows(const struct pol_service *s, const uint8_t mrenclave[static 32])
{
    for (size_t i = 0; i < s->enclave_count; i++) {
        const struct pol_enclave *e = &s->enclaves[i];

        for (size_t k = 0; k < e->mrenclave_count; k++) {
            if (ct_equal(e->mrenclaves[k].b, mrenclave, 32)) {
                return true;
            }
        }
        if (e->mrenclave_count == 0 && e->has_mrsigner) {
            return true;
        }
    }
    return s->enclave_count == 0; /* mode: none, or the parser had refused it */
}

/* A template of the user's own may say anything; what it says must fit this image. */
static int check_session(const struct conversion *c, struct error **err)
{
    const struct pol_service *s = pol_find_service(c->session, c->service);

    if (strcmp(c->session->name, c->full_name) != 0) {
        return error_set(err, EINVAL,
                         "the template names the session '%.300s', but the image will ask for "
                         "'%.300s': write name: $NAMESPACE/$SESSION",
                         c->session->name, c->full_name);
    }
    if (s == NULL) {
        return error_set(err, EINVAL,
                         "the template has no service '%.100s', which the image will ask for; name "
                         "it with --service-name",
                         c->service);
    }
    if (!allows(s, c->bundle.mrenclave)) {
        return error_set(err, EINVAL,
                         "service '%.100s' of the template does not allow this image: write "
                         "mrenclaves: [$MRENCLAVE]",
                         c->service);
    }
    if (s->fspf_key == NULL) {
        return error_set(
            err, EINVAL,
            "service '%.100s' of the template gives no key for the sealed image: write "
            "fspf_key: $SEALING_KEY",
            c->service);
    }
    return 0;
}

static int make_session(struct conversion *c, struct error **err)
{
    const struct session_facts f = {
        .namespace = c->o->namespace,
        .name = c->o->name,
        .service = c->service,
        .mrenclave = c->bundle.mrenclave,
        .mrsigner = c->bundle.mrsigner,
        .sealed_root = c->sealed.root,
        .sealing_key = c->key->data,
        .command = &c->command,
        .env = c->config.env,
        .more_env = c->o->env,
        .pwd = c->config.workdir,
        .user = &c->user,
    };
    int r = session_make(c->o, &f, &c->session, err);

    return r < 0 ? r : check_session(c, err);
}

static int store_session(void *ctx, struct error **err)
{
    struct conversion *c = ctx;

    return c->o->store_session(c->o->store_ctx, c->session, err);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static int write_out(struct conversion *c, struct error **err)
{
    const struct bundle_image im = {
        .target = &c->target,
        .source = &c->config,
        .session = c->full_name,
        .service = c->service,
        .sealed_root = c->sealed.root,
        .sealed_fd = c->sealed.fd,
        .sealed_size = (uint64_t)lseek(c->sealed.fd, 0, SEEK_END),
        .below = &c->below,
        .below_count = c->is_partial ? 1 : 0,
        .ready = store_session,
        .ready_ctx = c,
    };
    int r;

    (void)phase(c->o, "writing the image", 0);
    r = bundle_write(c->o, &c->bundle, &im, err);
    r = r < 0 ? r : target_push(&c->target, err);
    (void)phase(c->o, NULL, 0);
    return r;
}

int convert_image(const struct convert_options *o, struct convert_result *ret, struct error **err)
{
    _cleanup_conversion_ struct conversion c = {
        .o = o,
        .sealed = {.fd = -1},
        .below_fd = -1,
        .is_partial = o->dirs.count > 0 || o->plain.count > 0,
    };
    struct convert_result res = {0};
    int r = check_options(o, &c, err);

    r = r < 0 ? r : open_source(&c, err);
    r = r < 0 ? r : seal(&c, err);
    r = r < 0 ? r : check_sealed(&c, err);
    r = r < 0 ? r : bundle_measure(o, &c.bundle, c.full_name, c.sealed.root, c.is_partial, err);
    if (r < 0) {
        return r;
    }
    memcpy(res.mrenclave, c.bundle.mrenclave, sizeof(res.mrenclave));
    memcpy(res.sealed_root, c.sealed.root, sizeof(res.sealed_root));
    r = bundle_sign(o, &c.bundle, err);
    if (r == -EALREADY) {
        *ret = res;
        return r;
    }
    r = r < 0 ? r : make_session(&c, err);
    r = r < 0 ? r : write_out(&c, err);
    if (r < 0) {
        return r;
    }
    memcpy(res.mrsigner, c.bundle.mrsigner, sizeof(res.mrsigner));
    res.names = c.sealed.names;
    res.plain_names = c.below_names;
    res.file_bytes = c.sealed.file_bytes;
    res.sealed_size = (uint64_t)lseek(c.sealed.fd, 0, SEEK_END);
    (void)snprintf(res.session, sizeof(res.session), "%s", c.full_name);
    *ret = res;
    return 0;
}
