/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "image/source.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "core/ct.h"
#include "core/hex.h"
#include "image/skopeo.h"

#define SHA256_PREFIX "sha256:"

#define _cleanup_json_ _cleanup_(json_decrefp)

struct img_source *img_source_free(struct img_source *s)
{
    if (s != NULL) {
        s->store = img_store_free(s->store);
        free(s->layers);
        free(s->config);
        free(s);
    }
    return NULL;
}

static int parse(const uint8_t *data, size_t size, const char *what, json_t **ret,
                 struct error **err)
{
    json_error_t e;
    json_t *j = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, &e);

    if (j == NULL) {
        return error_set(err, EBADMSG, "%s is not valid JSON: %s (line %d, column %d)", what,
                         e.text, e.line, e.column);
    }
    *ret = j;
    return 0;
}

static const char *string_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static int parse_digest(const char *text, uint8_t ret[static SHA256_SIZE], struct error **err)
{
    const size_t prefix = strlen(SHA256_PREFIX);

    if (text == NULL) {
        return error_set(err, EBADMSG, "a digest is missing");
    }
    if (strncmp(text, SHA256_PREFIX, prefix) != 0) {
        return error_set(err, ENOTSUP, "digest '%.40s': only sha256 is supported", text);
    }
    if (hex_decode(ret, SHA256_SIZE, text + prefix, strlen(text + prefix)) < 0) {
        return error_set(err, EBADMSG, "digest '%.100s' is malformed", text);
    }
    return 0;
}

/* The path of a blob in an OCI layout; the digest was checked, so the name is harmless. */
static void blob_name(const uint8_t digest[static SHA256_SIZE], char ret[static 80])
{
    memcpy(ret, "blobs/sha256/", 13);
    hex_encode(ret + 13, digest, SHA256_SIZE);
}

/* Reads the blob a descriptor names and checks size and digest. */
static int read_blob(struct img_store *store, const json_t *descriptor, const char *what,
                     uint8_t **ret, size_t *ret_size, struct error **err)
{
    _cleanup_free_ uint8_t *data = NULL;
    const json_t *size = json_object_get(descriptor, "size");
    uint8_t want[SHA256_SIZE];
    uint8_t got[SHA256_SIZE];
    char name[80];
    size_t n;
    int r = parse_digest(string_of(descriptor, "digest"), want, err);

    if (r < 0) {
        (void)error_wrap(err, "%s", what);
        return r;
    }
    blob_name(want, name);
    r = img_store_read(store, name, IMG_JSON_MAX, &data, &n, err);
    if (r < 0) {
        (void)error_wrap(err, "%s", what);
        return r;
    }
    sha256(data, n, got);
    if (!ct_equal(got, want, sizeof(got)) ||
        (json_is_integer(size) && json_integer_value(size) != (json_int_t)n)) {
        return error_set(err, EBADMSG, "%s: blob %s does not match its digest or size", what, name);
    }
    *ret = TAKE_PTR(data);
    *ret_size = n;
    return 0;
}

static bool is_index(const json_t *descriptor)
{
    const char *type = string_of(descriptor, "mediaType");

    return type != NULL &&
           (strcmp(type, "application/vnd.oci.image.index.v1+json") == 0 ||
            strcmp(type, "application/vnd.docker.distribution.manifest.list.v2+json") == 0);
}

static bool is_linux_amd64(const json_t *object)
{
    const char *os = string_of(object, "os");
    const char *arch = string_of(object, "architecture");

    return os != NULL && arch != NULL && strcmp(os, "linux") == 0 && strcmp(arch, "amd64") == 0;
}

static const char *ref_name(const json_t *descriptor)
{
    return string_of(json_object_get(descriptor, "annotations"),
                     "org.opencontainers.image.ref.name");
}

/* Chooses one manifest of an index: by tag, else the one for linux/amd64, else the only one. */
static int choose(const json_t *index, const char *tag, const json_t **ret, struct error **err)
{
    const json_t *list = json_object_get(index, "manifests");
    const json_t *found = NULL;
    const size_t count = json_array_size(list);
    size_t hits[2] = {0}; /* without, with a platform that says linux/amd64 */

    if (count == 0) {
        return error_set(err, EBADMSG, "the image index lists no manifests");
    }
    if (count > IMG_INDEX_MAX) {
        return error_set(err, EFBIG, "the image index lists more than %u manifests", IMG_INDEX_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *d = json_array_get(list, i);
        const json_t *platform = json_object_get(d, "platform");
        const char *name = ref_name(d);

        if ((tag != NULL && (name == NULL || strcmp(name, tag) != 0)) ||
            (platform != NULL && !is_linux_amd64(platform))) {
            continue;
        }
        if (found == NULL || (platform != NULL && hits[1] == 0)) {
            found = d;
        }
        hits[platform != NULL]++;
    }
    if (found == NULL) {
        return tag != NULL
                   ? error_set(err, ENOENT, "the layout has no linux/amd64 image tagged '%s'", tag)
                   : error_set(err, ENOEXEC, "the image has no variant for linux/amd64");
    }
    if (tag == NULL && hits[hits[1] > 0] > 1 && ref_name(found) != NULL) {
        return error_set(err, EINVAL,
                         "the layout holds several images; name one as …:TAG (e.g. :%s)",
                         ref_name(found));
    }
    *ret = found;
    return 0;
}

/* Encrypted and remote layers cannot be read; everything else is told by its content. */
static int check_media_type(const char *type, struct error **err)
{
    if (type != NULL && strstr(type, "encrypted") != NULL) {
        return error_set(err, ENOTSUP, "the image has encrypted layers (%s)", type);
    }
    if (type != NULL && strstr(type, "foreign") != NULL) {
        return error_set(err, ENOTSUP, "the image has foreign layers (%s), kept elsewhere", type);
    }
    return 0;
}

static int add_layer(struct img_source *s, size_t index, const char *what,
                     const struct img_region *region, const uint8_t *digest)
{
    struct img_layer *l = &s->layers[index];

    l->region = *region;
    if (digest != NULL) {
        memcpy(l->digest, digest, sizeof(l->digest));
        l->has_digest = true;
    }
    s->layers_size += region->size;
    (void)snprintf(l->name, sizeof(l->name), "layer %zu (%.40s)", index + 1, what);
    return 0;
}

static int oci_layers(struct img_source *s, const json_t *manifest, struct error **err)
{
    const json_t *layers = json_object_get(manifest, "layers");

    for (size_t i = 0; i < s->layer_count; i++) {
        const json_t *d = json_array_get(layers, i);
        const char *text = string_of(d, "digest");
        const json_t *size = json_object_get(d, "size");
        uint8_t digest[SHA256_SIZE];
        struct img_region region;
        char name[80];
        int r = check_media_type(string_of(d, "mediaType"), err);

        if (r == 0) {
            r = parse_digest(text, digest, err);
        }
        if (r == 0) {
            blob_name(digest, name);
            r = img_store_find(s->store, name, &region, err);
        }
        if (r == 0 && json_is_integer(size) && (uint64_t)json_integer_value(size) != region.size) {
            r = error_set(err, EBADMSG, "the blob has %llu bytes, its descriptor says %lld",
                          (unsigned long long)region.size, (long long)json_integer_value(size));
        }
        if (r < 0) {
            (void)error_wrap(err, "layer %zu", i + 1);
            return r;
        }
        (void)add_layer(s, i, text, &region, digest);
    }
    return 0;
}

static int alloc_layers(struct img_source *s, const json_t *list, struct error **err)
{
    s->layer_count = json_array_size(list);
    if (s->layer_count == 0 || s->layer_count > IMG_LAYERS_MAX) {
        return error_set(err, EBADMSG, "the image has %zu layers; 1 to %u are possible",
                         s->layer_count, IMG_LAYERS_MAX);
    }
    s->layers = calloc(s->layer_count, sizeof(*s->layers));
    return s->layers == NULL ? error_set_errno(err, ENOMEM, "reading the manifest") : 0;
}

/* Platform and diff_ids of the configuration, which was read and checked already. */
static int apply_config(struct img_source *s, struct error **err)
{
    _cleanup_json_ json_t *config = NULL;
    const json_t *ids;
    int r = parse(s->config, s->config_size, "the image configuration", &config, err);

    if (r < 0) {
        return r;
    }
    if (!is_linux_amd64(config)) {
        const char *os = string_of(config, "os");
        const char *arch = string_of(config, "architecture");

        return error_set(err, ENOEXEC, "the image is for %.30s/%.30s; nacre needs linux/amd64",
                         os == NULL ? "?" : os, arch == NULL ? "?" : arch);
    }
    ids = json_object_get(json_object_get(config, "rootfs"), "diff_ids");
    if (json_array_size(ids) != s->layer_count) {
        return error_set(err, EBADMSG, "the image configuration names %zu layers, the manifest %zu",
                         json_array_size(ids), s->layer_count);
    }
    for (size_t i = 0; i < s->layer_count; i++) {
        r = parse_digest(json_string_value(json_array_get(ids, i)), s->layers[i].diff_id, err);
        if (r < 0) {
            (void)error_wrap(err, "diff_id %zu", i + 1);
            return r;
        }
        s->layers[i].has_diff_id = true;
    }
    return 0;
}

static int open_manifest(struct img_source *s, const json_t *descriptor, struct error **err)
{
    _cleanup_free_ uint8_t *data = NULL;
    _cleanup_json_ json_t *manifest = NULL;
    const json_t *version;
    size_t size;
    int r = read_blob(s->store, descriptor, "the image manifest", &data, &size, err);

    if (r == 0) {
        r = parse(data, size, "the image manifest", &manifest, err);
    }
    if (r < 0) {
        return r;
    }
    version = json_object_get(manifest, "schemaVersion");
    if (json_integer_value(version) != 2 || json_object_get(manifest, "config") == NULL) {
        return error_set(err, ENOTSUP,
                         "the manifest has schema version %lld; only version 2 is "
                         "supported (skopeo copy --format oci converts it)",
                         (long long)json_integer_value(version));
    }
    (void)snprintf(s->digest, sizeof(s->digest), "%.71s", string_of(descriptor, "digest"));
    r = read_blob(s->store, json_object_get(manifest, "config"), "the image configuration",
                  &s->config, &s->config_size, err);
    if (r == 0) {
        r = alloc_layers(s, json_object_get(manifest, "layers"), err);
    }
    if (r == 0) {
        r = oci_layers(s, manifest, err);
    }
    return r == 0 ? apply_config(s, err) : r;
}

static int open_oci(struct img_source *s, const char *tag, struct error **err)
{
    _cleanup_free_ uint8_t *data = NULL;
    _cleanup_json_ json_t *index = NULL;
    const json_t *d = NULL;
    size_t size;
    int r = img_store_read(s->store, "index.json", IMG_JSON_MAX, &data, &size, err);

    if (r == 0) {
        r = parse(data, size, "index.json", &index, err);
    }
    for (unsigned depth = 0; r == 0; depth++) {
        _cleanup_free_ uint8_t *inner = NULL;
        json_t *next = NULL;

        r = choose(index, tag, &d, err);
        if (r < 0 || !is_index(d)) {
            break;
        }
        if (depth == IMG_NEST_MAX) {
            return error_set(err, ELOOP, "image indexes are nested deeper than %u", IMG_NEST_MAX);
        }
        tag = NULL;
        r = read_blob(s->store, d, "an image index", &inner, &size, err);
        if (r == 0) {
            r = parse(inner, size, "an image index", &next, err);
        }
        if (r == 0) {
            json_decref(index);
            index = next;
        }
    }
    return r == 0 ? open_manifest(s, d, err) : r;
}

/* Docker shows "app:1" for what other tools write as "docker.io/library/app:1". */
static bool same_name(const char *stored, const char *asked)
{
    static const char *const prefixes[] = {"docker.io/library/", "docker.io/", ""};

    for (size_t i = 0; i < ARRAY_COUNT(prefixes); i++) {
        const size_t n = strlen(prefixes[i]);

        if (strncmp(stored, prefixes[i], n) == 0 && strcmp(stored + n, asked) == 0) {
            return true;
        }
    }
    return false;
}

/* The image of that name, or the only one. */
static int choose_docker(const json_t *list, const char *tag, const json_t **ret,
                         struct error **err)
{
    const size_t count = json_array_size(list);

    for (size_t i = 0; i < count; i++) {
        const json_t *image = json_array_get(list, i);
        const json_t *tags = json_object_get(image, "RepoTags");

        for (size_t k = 0; tag != NULL && k < json_array_size(tags); k++) {
            const char *name = json_string_value(json_array_get(tags, k));

            if (name != NULL && same_name(name, tag)) {
                *ret = image;
                return 0;
            }
        }
    }
    if (tag != NULL) {
        return error_set(err, ENOENT, "the archive has no image named '%s'", tag);
    }
    if (count != 1) {
        return error_set(err, EINVAL, "the archive holds %zu images; name one as …:NAME:TAG",
                         count);
    }
    *ret = json_array_get(list, 0);
    return 0;
}

static int open_docker(struct img_source *s, const char *tag, struct error **err)
{
    _cleanup_free_ uint8_t *data = NULL;
    _cleanup_json_ json_t *list = NULL;
    uint8_t digest[SHA256_SIZE];
    const json_t *image = NULL;
    const json_t *layers;
    const char *config;
    size_t size;
    int r = img_store_read(s->store, "manifest.json", IMG_JSON_MAX, &data, &size, err);

    if (r == 0) {
        r = parse(data, size, "manifest.json", &list, err);
    }
    if (r == 0) {
        r = choose_docker(list, tag, &image, err);
    }
    if (r < 0) {
        return r;
    }
    config = string_of(image, "Config");
    layers = json_object_get(image, "Layers");
    if (config == NULL) {
        return error_set(err, EBADMSG, "manifest.json names no configuration");
    }
    r = img_store_read(s->store, config, IMG_JSON_MAX, &s->config, &s->config_size, err);
    if (r == 0) {
        r = alloc_layers(s, layers, err);
    }
    for (size_t i = 0; r == 0 && i < s->layer_count; i++) {
        const char *name = json_string_value(json_array_get(layers, i));
        struct img_region region;

        if (name == NULL) {
            return error_set(err, EBADMSG, "manifest.json: layer %zu has no name", i + 1);
        }
        r = img_store_find(s->store, name, &region, err);
        if (r == 0) {
            (void)add_layer(s, i, name, &region, NULL);
        }
    }
    if (r < 0) {
        return r;
    }
    /* The archive has no manifest digest: the configuration, which names every layer by digest, is
     * the image's identity (it is what docker calls the image id). */
    sha256(s->config, s->config_size, digest);
    memcpy(s->digest, SHA256_PREFIX, strlen(SHA256_PREFIX));
    hex_encode(s->digest + strlen(SHA256_PREFIX), digest, sizeof(digest));
    return apply_config(s, err);
}

/* "PATH[:TAG]": the longest PATH that exists wins. */
static int split_path(const char *rest, char **ret_path, const char **ret_tag, struct error **err)
{
    struct stat st;
    char *path = strdup(rest);

    if (path == NULL) {
        return error_set_errno(err, ENOMEM, "opening %s", rest);
    }
    *ret_tag = NULL;
    while (stat(path, &st) < 0) {
        char *colon = strrchr(path, ':');

        if (colon == NULL) {
            free(path);
            return error_set_errno(err, ENOENT, "cannot open %s", rest);
        }
        *colon = '\0';
        *ret_tag = rest + (colon - path) + 1;
    }
    *ret_path = path;
    return 0;
}

static int open_local(struct img_source *s, const char *rest, bool docker, struct error **err)
{
    _cleanup_free_ char *path = NULL;
    const char *tag = NULL;
    int r = split_path(rest, &path, &tag, err);

    if (r == 0) {
        r = img_store_open(path, /*owned=*/false, &s->store, err);
    }
    if (r < 0) {
        return r;
    }
    return docker ? open_docker(s, tag, err) : open_oci(s, tag, err);
}

static const char *after(const char *reference, const char *prefix)
{
    const size_t n = strlen(prefix);

    return strncmp(reference, prefix, n) == 0 ? reference + n : NULL;
}

static int open_any(struct img_source *s, const char *reference, struct error **err)
{
    const char *rest;
    int r;

    if ((rest = after(reference, "oci:")) != NULL ||
        (rest = after(reference, "oci-archive:")) != NULL) {
        return open_local(s, rest, /*docker=*/false, err);
    }
    if ((rest = after(reference, "docker-archive:")) != NULL) {
        return open_local(s, rest, /*docker=*/true, err);
    }
    if (after(reference, "docker://") != NULL || after(reference, "docker-daemon:") != NULL ||
        after(reference, "containers-storage:") != NULL) {
        r = skopeo_fetch(reference, &s->store, err);
        return r < 0 ? r : open_oci(s, NULL, err);
    }
    return error_set(err, EINVAL,
                     "'%s' names no image source; use oci:DIR[:TAG], oci-archive:FILE, "
                     "docker-archive:FILE, docker-daemon:NAME:TAG, containers-storage:NAME or "
                     "docker://REGISTRY/NAME:TAG",
                     reference);
}

int img_source_open(const char *reference, struct img_source **ret, struct error **err)
{
    _cleanup_img_source_ struct img_source *s = calloc(1, sizeof(*s));
    int r;

    if (s == NULL) {
        return error_set_errno(err, ENOMEM, "opening %s", reference);
    }
    r = open_any(s, reference, err);
    if (r < 0) {
        (void)error_wrap(err, "%s", reference);
        return r;
    }
    *ret = TAKE_PTR(s);
    return 0;
}
