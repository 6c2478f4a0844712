/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The JSON of images. The first byte says what the rest of the input is: an OCI index, a manifest,
 * a configuration or docker's manifest.json; everything around it is made to fit, digests included,
 * and put into an archive in memory. What opens must be complete.
 */

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "core/hex.h"
#include "core/sha256.h"
#include "fuzz/fuzz.h"
#include "image/source.h"

#define ARCHIVE_MAX ((size_t)4 << 20)

struct archive {
    uint8_t *data;
    size_t size;
};

static void add(struct archive *a, const char *name, const void *data, size_t size)
{
    char *h = (char *)a->data + a->size;
    unsigned sum = 0;

    FUZZ_CHECK(a->size + 512 + size + 1536 < ARCHIVE_MAX);
    (void)snprintf(h, 100, "%s", name);
    (void)snprintf(h + 100, 8, "0000644");
    (void)snprintf(h + 108, 8, "0000000");
    (void)snprintf(h + 116, 8, "0000000");
    (void)snprintf(h + 124, 12, "%011zo", size);
    (void)snprintf(h + 136, 12, "00000000000");
    memset(h + 148, ' ', 8);
    h[156] = '0';
    memcpy(h + 257, "ustar\00000", 8);
    for (size_t i = 0; i < 512; i++) {
        sum += (uint8_t)h[i];
    }
    (void)snprintf(h + 148, 8, "%06o", sum);
    memcpy(a->data + a->size + 512, data, size);
    a->size += 512 + (size + 511) / 512 * 512;
}

/* Adds a blob and leaves its descriptor's fields in `ret`. */
static void add_blob(struct archive *a, const void *data, size_t size, char ret[static 160])
{
    uint8_t digest[32];
    char hex[65];
    char name[100];

    sha256(data, size, digest);
    hex_encode(hex, digest, 32);
    (void)snprintf(name, sizeof(name), "blobs/sha256/%s", hex);
    add(a, name, data, size);
    (void)snprintf(ret, 160, "\"digest\":\"sha256:%s\",\"size\":%zu", hex, size);
}

static void build(struct archive *a, uint8_t what, const uint8_t *data, size_t size)
{
    static const char plain_config[] =
        "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"diff_ids\":[\"sha256:"
        "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef\"]}}";
    static const uint8_t layer[1024];
    char layer_field[160];
    char field[160];
    char text[600];

    add_blob(a, layer, sizeof(layer), layer_field);
    add(a, "layer.tar", layer, sizeof(layer));
    add(a, "config.json", plain_config, sizeof(plain_config) - 1);
    if (what == 0) {
        add(a, "index.json", data, size);
        return;
    }
    if (what == 3) {
        add(a, "manifest.json", data, size);
        return;
    }
    if (what == 1) {
        add_blob(a, plain_config, sizeof(plain_config) - 1, field);
        add_blob(a, data, size, field);
    } else {
        add_blob(a, data, size, field);
        (void)snprintf(text, sizeof(text),
                       "{\"schemaVersion\":2,\"config\":{%s},\"layers\":[{%s}]}", field,
                       layer_field);
        add_blob(a, text, strlen(text), field);
    }
    (void)snprintf(text, sizeof(text), "{\"manifests\":[{%s}]}", field);
    add(a, "index.json", text, strlen(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ uint8_t *buf = calloc(1, ARCHIVE_MAX);
    _cleanup_close_ int fd = memfd_create("archive", MFD_CLOEXEC);
    _cleanup_img_source_ struct img_source *s = NULL;
    struct archive a = {.data = buf};
    char reference[64];

    if (size < 1 || size > (1u << 20) || buf == NULL || fd < 0) {
        return 0;
    }
    build(&a, data[0] % 4, data + 1, size - 1);
    a.size += 1024;
    if (write(fd, a.data, a.size) != (ssize_t)a.size) {
        return 0;
    }
    (void)snprintf(reference, sizeof(reference), "%s:/proc/self/fd/%d",
                   data[0] % 4 == 3 ? "docker-archive" : "oci-archive", fd);
    if (img_source_open(reference, &s, NULL) == 0) {
        FUZZ_CHECK(s->layer_count > 0 && s->layer_count <= IMG_LAYERS_MAX);
        FUZZ_CHECK(s->config != NULL && strlen(s->digest) == 71);
        for (size_t i = 0; i < s->layer_count; i++) {
            FUZZ_CHECK(s->layers[i].has_diff_id && s->layers[i].region.fd >= 0);
            FUZZ_CHECK(s->layers[i].region.offset + s->layers[i].region.size <= a.size);
        }
    }
    return 0;
}
