/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/image_facts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "core/ct.h"
#include "core/sha256.h"
#include "image/bundle_read.h"
#include "image/leftovers.h"
#include "image/unseal.h"
#include "sign/sigstruct.h"

#define PROGRAM_MAX ((size_t)256 << 20)

const char *const image_check_names[CHECK_COUNT] = {
    [CHECK_SIGNATURE] = "signature", [CHECK_MEASUREMENT] = "measurement",
    [CHECK_AGENT] = "agent",         [CHECK_SEALED] = "sealed image",
    [CHECK_BLOCKS] = "blocks",       [CHECK_SESSION] = "session",
};

void image_facts_done(struct image_facts *f)
{
    if (f->dir != NULL) {
        img_remove_all(f->dir);
        img_leftover_drop(f->dir);
    }
    free(f->dir);
    free(f->libos);
    free(f->manifest_bytes);
    free(f->config_id);
    free(f->cas);
    json_decref(f->ports);
    for (size_t i = 0; i < CHECK_COUNT; i++) {
        free(f->why[i]);
    }
}

static void bad(struct image_facts *f, enum image_check which, const char *why)
{
    if (f->results[which] != RESULT_BAD) {
        f->results[which] = RESULT_BAD;
        f->why[which] = strdup(why);
    }
}

/* A check that may fail for good: its message becomes the reason. */
static void judge(struct image_facts *f, enum image_check which, int r, struct error **err)
{
    if (r < 0) {
        bad(f, which, error_text(*err));
        *err = error_free(*err);
    } else {
        f->results[which] = RESULT_GOOD;
    }
}

static int read_file(const struct image_facts *f, const char *name, size_t max, uint8_t **ret,
                     size_t *ret_size, struct error **err)
{
    _cleanup_free_ char *path = NULL;

    if (asprintf(&path, "%s/%s", f->dir, name) < 0) {
        path = NULL;
        return error_set_errno(err, ENOMEM, "reading the bundle");
    }
    return fs_read_file(path, max, ret, ret_size, err);
}

static int extract(struct image_facts *f, const struct img_source *source, struct error **err)
{
    const struct img_progress silent = {0};
    const char *tmp = getenv("TMPDIR");

    if (asprintf(&f->dir, "%s/nacre-inspect-XXXXXX", tmp == NULL || *tmp == '\0' ? "/tmp" : tmp) <
        0) {
        f->dir = NULL;
        return error_set_errno(err, ENOMEM, "reading the image");
    }
    if (mkdtemp(f->dir) == NULL) {
        const int e = errno;

        free(TAKE_PTR(f->dir));
        return error_set_errno(err, e, "cannot create a directory in TMPDIR");
    }
    img_leftover_add(f->dir);
    return img_bundle_extract(source, f->dir, &silent, err);
}

static void check_measurement(struct image_facts *f)
{
    const struct loader_image image = {.elf = f->libos,
                                       .elf_size = f->libos_size,
                                       .manifest = f->manifest_bytes,
                                       .manifest_size = f->manifest_size};
    _cleanup_error_ struct error *why = NULL;
    int r = loader_measure(&image, &f->measured, &why);

    judge(f, CHECK_MEASUREMENT, r, &why);
    if (r == 0 && !ct_equal(f->measured.mrenclave, f->sigstruct.enclave_hash, 32)) {
        bad(f, CHECK_MEASUREMENT, "the signature is over another enclave or manifest");
    }
}

static int check_agent(struct image_facts *f, struct error **err)
{
    _cleanup_free_ uint8_t *agent = NULL;
    _cleanup_error_ struct error *why = NULL;
    uint8_t hash[SHA256_SIZE];
    size_t size;

    if ((f->manifest.header.flags & MANIFEST_AGENT) == 0) {
        return 0;
    }
    if (read_file(f, IMG_BUNDLE_AGENT, PROGRAM_MAX, &agent, &size, &why) < 0) {
        bad(f, CHECK_AGENT, error_text(why));
        return 0;
    }
    f->agent_size = size;
    sha256(agent, size, hash);
    f->results[CHECK_AGENT] = RESULT_GOOD;
    if (!ct_equal(hash, f->manifest.header.agent, sizeof(hash))) {
        bad(f, CHECK_AGENT, "the agent is not the measured one");
    }
    return 0;
}

static int check_sealed(struct image_facts *f, const uint8_t *key, struct error **err)
{
    _cleanup_sealed_file_ struct sealed_file *file = NULL;
    _cleanup_error_ struct error *why = NULL;
    _cleanup_free_ char *path = NULL;
    struct img_verify_result res;
    int r;

    if ((f->manifest.header.flags & MANIFEST_SEALED_ROOT) == 0) {
        return 0;
    }
    if (asprintf(&path, "%s/%s", f->dir, IMG_BUNDLE_SEALED) < 0) {
        path = NULL;
        return error_set_errno(err, ENOMEM, "reading the bundle");
    }
    r = sealed_file_open(path, key, f->manifest.header.sealed_root, &file, &why);
    if (r == 0) {
        f->sealed_size = sealed_file_size(file);
        f->sealed_blocks = sealed_file_block_count(file);
        r = sealed_file_verify_tree(file);
        r = r < 0 ? sealed_file_error(file, r, &why) : 0;
    }
    judge(f, CHECK_SEALED, r, &why);
    if (r == 0 && key != NULL) {
        r = img_verify(file, /*with_key=*/true, &res, &why);
        judge(f, CHECK_BLOCKS, r, &why);
    }
    return 0;
}

static char *variable(const json_t *env, const char *first, const char *second)
{
    for (size_t i = 0; i < json_array_size(env); i++) {
        const char *s = json_string_value(json_array_get(env, i));
        const char *equals = s == NULL ? NULL : strchr(s, '=');
        const size_t n = equals == NULL ? 0 : (size_t)(equals - s);

        if (equals != NULL && ((n == strlen(first) && strncmp(s, first, n) == 0) ||
                               (n == strlen(second) && strncmp(s, second, n) == 0))) {
            return strdup(equals + 1);
        }
    }
    return NULL;
}

static int read_config(struct image_facts *f, const struct img_source *source, struct error **err)
{
    json_error_t e;
    json_t *document = json_loadb((const char *)source->config, source->config_size, 0, &e);
    const json_t *config = json_object_get(document, "config");
    const json_t *env = json_object_get(config, "Env");
    json_t *ports = json_object_get(config, "ExposedPorts");
    const char *port;
    json_t *value;

    f->config_id = variable(env, "NACRE_CONFIG_ID", "SCONE_CONFIG_ID");
    f->cas = variable(env, "NACRE_CAS", "SCONE_CAS_ADDR");
    f->ports = json_array();
    json_object_foreach(ports, port, value)
    {
        if (json_array_append_new(f->ports, json_string(port)) < 0) {
            json_decref(document);
            return error_set_errno(err, ENOMEM, "reading the image");
        }
    }
    json_decref(document);
    return 0;
}

static void check_session(struct image_facts *f)
{
    const char *slash = f->config_id == NULL ? NULL : strrchr(f->config_id, '/');
    uint8_t hash[SHA256_SIZE];

    if (slash == NULL || (f->manifest.header.flags & MANIFEST_SESSION) == 0) {
        return;
    }
    sha256(f->config_id, (size_t)(slash - f->config_id), hash);
    f->results[CHECK_SESSION] = RESULT_GOOD;
    if (!ct_equal(hash, f->manifest.header.session, sizeof(hash))) {
        bad(f, CHECK_SESSION, "the image asks for another session than the measured one");
    }
}

static int read_pieces(struct image_facts *f, struct error **err)
{
    _cleanup_free_ uint8_t *sig = NULL;
    _cleanup_error_ struct error *why = NULL;
    size_t size;
    int r = read_file(f, IMG_BUNDLE_ENCLAVE, PROGRAM_MAX, &f->libos, &f->libos_size, err);

    r = r < 0 ? r
              : read_file(f, IMG_BUNDLE_MANIFEST, MANIFEST_SIZE_MAX, &f->manifest_bytes,
                          &f->manifest_size, err);
    r = r < 0 ? r : read_file(f, IMG_BUNDLE_SIGSTRUCT, 64 * 1024, &sig, &size, err);
    if (r < 0) {
        return r;
    }
    r = manifest_parse(f->manifest_bytes, f->manifest_size, &f->manifest);
    if (r < 0) {
        return error_set(err, -r, "the image's manifest %s",
                         r == -EPROTONOSUPPORT ? "has a version or flag this nacre does not know"
                                               : "is malformed");
    }
    r = sigstruct_parse(sig, size, &f->sigstruct, err);
    if (r < 0) {
        return r;
    }
    sigstruct_mrsigner(f->sigstruct.modulus, f->mrsigner);
    r = sigstruct_verify(&f->sigstruct, &why);
    judge(f, CHECK_SIGNATURE, r, &why);
    return 0;
}

int image_facts_read(const char *reference, const uint8_t *key, struct image_facts *ret,
                     struct error **err)
{
    _cleanup_facts_ struct image_facts f = {0};
    _cleanup_img_source_ struct img_source *source = NULL;
    int r = img_source_open(reference, &source, err);

    r = r < 0 ? r : extract(&f, source, err);
    r = r < 0 ? r : read_pieces(&f, err);
    r = r < 0 ? r : read_config(&f, source, err);
    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i + 1 < source->layer_count; i++) {
        f.below_size += source->layers[i].region.size;
        f.below_count++;
    }
    check_measurement(&f);
    check_session(&f);
    r = check_agent(&f, err);
    r = r < 0 ? r : check_sealed(&f, key, err);
    if (r < 0) {
        return r;
    }
    *ret = f;
    f = (struct image_facts){0};
    return 0;
}

bool image_facts_good(const struct image_facts *f)
{
    for (size_t i = 0; i < CHECK_COUNT; i++) {
        if (f->results[i] == RESULT_BAD) {
            return false;
        }
    }
    return true;
}

const char *image_facts_verdict(const struct image_facts *f)
{
    const uint64_t flags = f->manifest.header.flags;

    if (!image_facts_good(f)) {
        return "BROKEN: what is in the image does not fit together; no CAS will open it";
    }
    if ((flags & MANIFEST_HOST_TRUSTED) != 0) {
        return "NOT PROTECTED: a development image, which takes key and program from the host";
    }
    if ((f->sigstruct.attributes.flags & f->sigstruct.attribute_mask.flags & SGX_FLAGS_DEBUG) !=
            0 ||
        (f->sigstruct.attribute_mask.flags & SGX_FLAGS_DEBUG) == 0) {
        return "NOT PROTECTED: it may be started as a debug enclave, whose memory the host reads";
    }
    if ((flags & MANIFEST_SEALED_ROOT) == 0 || (flags & MANIFEST_CAS_KEY) == 0) {
        return "INCOMPLETE: no sealed image or no CAS is pinned";
    }
    if ((flags & MANIFEST_HOST_BELOW) != 0 || f->manifest.header.mount_count > 0) {
        return "partly sealed: what lies outside the seal can be read and changed by the host";
    }
    return "sealed: every file is encrypted and measured, and opens to the pinned CAS's sessions "
           "alone";
}

json_t *manifest_names_json(const struct manifest *m)
{
    struct cursor c = m->names;
    json_t *list = json_array();
    const char *name;

    while (manifest_next_name(&c, &name) > 0) {
        (void)json_array_append_new(list, json_string(name));
    }
    return list;
}
