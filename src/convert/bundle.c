/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "convert/bundle.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/crypto.h"
#include "base/fs.h"
#include "core/hex.h"
#include "core/sha256.h"
#include "image/oci_write.h"
#include "loader/loader.h"
#include "seal/manifest.h"
#include "sign/key_file.h"
#include "sign/sigstruct.h"

#define PROGRAM_MAX ((size_t)256 << 20)

void bundle_done(struct bundle *b)
{
    free(b->loader.data);
    free(b->libos.data);
    free(b->agent.data);
    free(b->manifest.data);
    free(b->sigstruct.data);
    *b = (struct bundle){0};
}

/* A dynamic one would look for libraries in an image that has none. */
static int read_program(const char *path, const char *what, bool must_be_static,
                        struct bundle_file *ret, struct error **err)
{
    Elf64_Ehdr eh;
    int r = fs_read_file(path, PROGRAM_MAX, &ret->data, &ret->size, err);

    if (r < 0) {
        (void)error_wrap(err, "%s", what);
        return r;
    }
    if (ret->size < sizeof(eh)) {
        return error_set(err, ENOEXEC, "%s %s is no ELF file", what, path);
    }
    memcpy(&eh, ret->data, sizeof(eh));
    if (memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0 || eh.e_ident[EI_CLASS] != ELFCLASS64 ||
        eh.e_machine != EM_X86_64 || eh.e_phentsize != sizeof(Elf64_Phdr) ||
        eh.e_phoff > ret->size || eh.e_phnum > (ret->size - eh.e_phoff) / sizeof(Elf64_Phdr)) {
        return error_set(err, ENOEXEC, "%s %s is no ELF file for x86-64", what, path);
    }
    for (size_t i = 0; must_be_static && i < eh.e_phnum; i++) {
        Elf64_Phdr ph;

        memcpy(&ph, ret->data + eh.e_phoff + i * sizeof(ph), sizeof(ph));
        if (ph.p_type == PT_INTERP) {
            return error_set(err, ENOEXEC, "%s %s is dynamically linked: it must be static", what,
                             path);
        }
    }
    return 0;
}

int bundle_read(const struct convert_options *o, struct bundle *ret, struct error **err)
{
    _cleanup_bundle_ struct bundle b = {0};
    int r = read_program(o->loader, "the loader", !BUNDLE_LOADER_DYNAMIC, &b.loader, err);

    r = r < 0 ? r : read_program(o->libos, "the enclave", /*must_be_static=*/true, &b.libos, err);
    r = r < 0 ? r : read_program(o->agent, "the agent", !BUNDLE_LOADER_DYNAMIC, &b.agent, err);
    if (r < 0) {
        return r;
    }
    *ret = b;
    b = (struct bundle){0};
    return 0;
}

/* ---- manifest ------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct manifest_mount *)a)->path,
                  ((const struct manifest_mount *)b)->path);
}

struct lists {
    const char **names;
    struct manifest_mount *mounts;
    char **paths; /* owned texts of mounts */
    size_t mount_count;
};

static void lists_done(struct lists *l)
{
    for (size_t i = 0; i < l->mount_count; i++) {
        free(l->paths[i]);
    }
    free(l->names);
    free(l->mounts);
    free(l->paths);
}
#define _cleanup_lists_ _cleanup_(lists_done)

/* PATH or PATH:rw */
static int take_mount(struct lists *l, const char *given, struct error **err)
{
    const size_t n = strlen(given);
    const bool rw = n > 3 && strcmp(given + n - 3, ":rw") == 0;
    char *path = strndup(given, rw ? n - 3 : n);

    if (path == NULL) {
        return error_set_errno(err, ENOMEM, "reading --host-path");
    }
    l->paths[l->mount_count] = path;
    l->mounts[l->mount_count++] =
        (struct manifest_mount){.path = path, .flags = rw ? MANIFEST_MOUNT_WRITABLE : 0};
    return 0;
}

static int make_lists(const struct convert_options *o, struct lists *l, struct error **err)
{
    int r = 0;

    l->names = calloc(o->allow_env.count + 1, sizeof(*l->names));
    l->mounts = calloc(o->host_path.count + 1, sizeof(*l->mounts));
    l->paths = calloc(o->host_path.count + 1, sizeof(*l->paths));
    if (l->names == NULL || l->mounts == NULL || l->paths == NULL) {
        return error_set_errno(err, ENOMEM, "making the manifest");
    }
    for (size_t i = 0; i < o->allow_env.count; i++) {
        l->names[i] = o->allow_env.items[i];
    }
    for (size_t i = 0; r == 0 && i < o->host_path.count; i++) {
        r = take_mount(l, o->host_path.items[i], err);
    }
    qsort(l->names, o->allow_env.count, sizeof(*l->names), by_text);
    qsort(l->mounts, l->mount_count, sizeof(*l->mounts), by_path);
    return r;
}

static int encode(const struct convert_options *o, const struct manifest_header *h, uint8_t *dst,
                  size_t *ret_size, struct error **err)
{
    _cleanup_lists_ struct lists l = {0};
    int r = make_lists(o, &l, err);

    if (r < 0) {
        return r;
    }
    r = manifest_encode(h, l.names, o->allow_env.count, l.mounts, l.mount_count, dst,
                        MANIFEST_SIZE_MAX, ret_size);
    if (r == -ENOSPC) {
        return error_set(err, ENOSPC, "--allow-env and --host-path are more than a manifest holds");
    }
    return r < 0
               ? error_set(err, EINVAL,
                           "--allow-env takes at most %u names of printable ASCII, --host-path at "
                           "most %u absolute paths without '.' and '..'; none twice",
                           MANIFEST_NAMES_MAX, MANIFEST_MOUNTS_MAX)
               : 0;
}

int bundle_check_lists(const struct convert_options *o, struct error **err)
{
    _cleanup_free_ uint8_t *dst = malloc(MANIFEST_SIZE_MAX);
    const struct manifest_header h = {.flags = 0};
    size_t size;

    return dst == NULL ? error_set_errno(err, ENOMEM, "making the manifest")
                       : encode(o, &h, dst, &size, err);
}

int bundle_measure(const struct convert_options *o, struct bundle *b, const char *session,
                   const uint8_t sealed_root[static 32], bool host_below, struct error **err)
{
    struct manifest_header h = {
        .flags = MANIFEST_SEALED_ROOT | MANIFEST_AGENT | MANIFEST_SESSION |
                 (o->cas_key != NULL ? MANIFEST_CAS_KEY : 0) |
                 (host_below ? MANIFEST_HOST_BELOW : 0),
    };
    struct loader_image image = {.elf = b->libos.data, .elf_size = b->libos.size};
    struct loader_measurement m;
    int r;

    memcpy(h.sealed_root, sealed_root, sizeof(h.sealed_root));
    sha256(b->agent.data, b->agent.size, h.agent);
    sha256(session, strlen(session), h.session);
    if (o->cas_key != NULL) {
        memcpy(h.cas_key, o->cas_key, sizeof(h.cas_key));
    }
    b->manifest.data = malloc(MANIFEST_SIZE_MAX);
    if (b->manifest.data == NULL) {
        return error_set_errno(err, ENOMEM, "making the manifest");
    }
    r = encode(o, &h, b->manifest.data, &b->manifest.size, err);
    if (r < 0) {
        return r;
    }
    image.manifest = b->manifest.data;
    image.manifest_size = b->manifest.size;
    r = loader_measure(&image, &m, err);
    if (r < 0) {
        (void)error_wrap(err, "%s", o->libos);
        return r;
    }
    memcpy(b->mrenclave, m.mrenclave, sizeof(b->mrenclave));
    return 0;
}

/* ---- signature ------------------------------------------------------------------------------ */

/* The dumped bytes of the first run must be those of this one: else something has changed since. */
static int complete(const struct convert_options *o, const struct sgx_sigstruct *built,
                    struct sgx_sigstruct *ret, struct error **err)
{
    uint8_t bytes[SIGSTRUCT_SIGNED_SIZE];
    _cleanup_free_ uint8_t *signature = NULL;
    _cleanup_key_ struct evp_pkey_st *key = NULL;
    uint8_t modulus[384];
    uint8_t le[384];
    size_t size;
    int r = fs_read_file(o->signature, sizeof(le), &signature, &size, err);

    r = r < 0 ? r : key_file_load_public(o->public_key, &key, err);
    if (r < 0) {
        return r;
    }
    if (size != sizeof(le)) {
        return error_set(err, EBADMSG, "%s has %zu bytes, a signature has %zu", o->signature, size,
                         sizeof(le));
    }
    r = crypto_rsa3072_modulus(key, modulus);
    if (r < 0) {
        return error_set_errno(err, -r, "%s", o->public_key);
    }
    crypto_rsa3072_reverse(le, signature);
    *ret = *built;
    r = sigstruct_set_signature(ret, modulus, le, err);
    if (r == -EBADMSG) {
        sigstruct_signed_bytes(built, bytes);
        return error_set(
            err, EBADMSG,
            "%s is not a signature over this conversion; the same --master-key, image, "
            "options, nacre and SOURCE_DATE_EPOCH must be given as with --sign-dump",
            o->signature);
    }
    return r;
}

int bundle_sign(const struct convert_options *o, struct bundle *b, struct error **err)
{
    struct sigstruct_params p;
    struct sgx_sigstruct s;
    struct sgx_sigstruct done;
    int r;

    sigstruct_params_default(&p);
    memcpy(p.mrenclave, b->mrenclave, sizeof(p.mrenclave));
    p.date = o->sign_date;
    r = sigstruct_build(&p, &s, err);
    if (r < 0) {
        return r;
    }
    if (o->sign_dump != NULL) {
        r = key_file_dump(o->sign_dump, &s, err);
        return r < 0 ? r : -EALREADY;
    }
    if (o->signature != NULL) {
        r = complete(o, &s, &done, err);
    } else {
        done = s;
        r = sigstruct_sign(&done, o->sign_key, err);
    }
    if (r < 0) {
        return r;
    }
    b->sigstruct.data = malloc(sizeof(done));
    if (b->sigstruct.data == NULL) {
        return error_set_errno(err, ENOMEM, "signing");
    }
    memcpy(b->sigstruct.data, &done, sizeof(done));
    b->sigstruct.size = sizeof(done);
    sigstruct_mrsigner(done.modulus, b->mrsigner);
    return 0;
}

/* ---- the image ------------------------------------------------------------------------------ */

static json_t *make_env(const struct convert_options *o, const struct bundle_image *im)
{
    json_t *env = json_array();
    const char *const names[] = {o->scone_names ? "SCONE_CONFIG_ID" : "NACRE_CONFIG_ID",
                                 o->scone_names ? "SCONE_CAS_ADDR" : "NACRE_CAS"};

    if (json_array_append_new(env, json_sprintf("%s=%s/%s", names[0], im->session, im->service)) <
            0 ||
        (o->cas_address != NULL &&
         json_array_append_new(env, json_sprintf("%s=%s", names[1], o->cas_address)) < 0)) {
        json_decref(env);
        return NULL;
    }
    return env;
}

/* For `nacre inspect` and for people with `docker inspect`; nothing of the source. */
static json_t *make_labels(const struct bundle *b, const struct bundle_image *im)
{
    char mrenclave[65];
    char mrsigner[65];
    char root[65];

    hex_encode(mrenclave, b->mrenclave, 32);
    hex_encode(mrsigner, b->mrsigner, 32);
    hex_encode(root, im->sealed_root, 32);
    return json_pack("{s:s,s:s,s:s,s:s,s:s}", "io.nacre.mrenclave", mrenclave, "io.nacre.mrsigner",
                     mrsigner, "io.nacre.sealed-root", root, "io.nacre.session", im->session,
                     "io.nacre.protection", im->below_count > 0 ? "partial" : "sealed");
}

static json_t *make_config(const struct convert_options *o, const struct bundle *b,
                           const struct bundle_image *im)
{
    json_t *c = json_pack("{s:[s],s:o,s:o,s:s}", "Entrypoint", "/nacre/nacre-loader", "Env",
                          make_env(o, im), "Labels", make_labels(b, im), "WorkingDir", "/");
    const struct image_config *s = im->source;

    if (c != NULL && json_object_size(s->exposed) > 0 &&
        json_object_set_new(c, "ExposedPorts", json_deep_copy(s->exposed)) < 0) {
        json_decref(c);
        return NULL;
    }
    if (c != NULL && s->stop_signal != NULL && s->stop_signal[0] != '\0' &&
        json_object_set_new(c, "StopSignal", json_string(s->stop_signal)) < 0) {
        json_decref(c);
        return NULL;
    }
    return c;
}

int bundle_write(const struct convert_options *o, const struct bundle *b,
                 const struct bundle_image *im, struct error **err)
{
    const struct img_out_entry entries[] = {
        {.path = "nacre", .mode = 0040755},
        {.path = "nacre/agent", .mode = 0100755, .data = b->agent.data, .size = b->agent.size},
        {.path = "nacre/libos.elf", .mode = 0100644, .data = b->libos.data, .size = b->libos.size},
        {.path = "nacre/manifest",
         .mode = 0100644,
         .data = b->manifest.data,
         .size = b->manifest.size},
        {.path = "nacre/nacre-loader",
         .mode = 0100755,
         .data = b->loader.data,
         .size = b->loader.size},
        {.path = "nacre/rootfs.nseal",
         .mode = 0100644,
         .fd = im->sealed_fd,
         .size = im->sealed_size},
        {.path = "nacre/sigstruct",
         .mode = 0100644,
         .data = b->sigstruct.data,
         .size = b->sigstruct.size},
    };
    json_t *config = make_config(o, b, im);
    const struct img_out_image out = {
        .kind = im->target->kind,
        .compress = IMG_OUT_PLAIN, /* what is sealed does not shrink */
        .path = im->target->path,
        .tag = im->target->tag,
        .base = im->below,
        .base_count = im->below_count,
        .entries = entries,
        .count = ARRAY_COUNT(entries),
        .time = o->time,
        .config = config,
        .ready = im->ready,
        .ready_ctx = im->ready_ctx,
    };
    struct img_out_digests digests;
    int r;

    if (config == NULL) {
        return error_set_errno(err, ENOMEM, "writing the image's configuration");
    }
    r = img_write_image(&out, &digests, err);
    json_decref(config);
    return r;
}
