/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The provisioning document. It is written straight into one buffer that is wiped at its end, and
 * not through a JSON library, which would leave copies of secrets in the heap.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "cas/provision.h"
#include "core/ct.h"
#include "core/hex.h"
#include "policy/text.h"

struct writer {
    const struct pol_session *session;
    const struct pol_values *values;
    const struct provision_imports *imports;
    struct cas_bytes out;
    size_t cap;
    struct error **err;
};

static int put_bytes(struct writer *w, const void *data, size_t size)
{
    if (size > PROVISION_DOCUMENT_MAX - w->out.size) {
        return error_set(w->err, EINVAL, "the document would be larger than 16 MiB");
    }
    if (w->cap - w->out.size < size + 1) {
        const size_t cap = MAX(2 * w->cap, w->out.size + size + 1024);
        uint8_t *grown = malloc(cap); /* not realloc: the old one must be wiped */

        if (grown == NULL) {
            return error_set_errno(w->err, ENOMEM, "making the document");
        }
        if (w->out.p != NULL) {
            memcpy(grown, w->out.p, w->out.size);
            ct_wipe(w->out.p, w->cap);
            free(w->out.p);
        }
        w->out.p = grown;
        w->cap = cap;
    }
    memcpy(w->out.p + w->out.size, data, size);
    w->out.size += size;
    w->out.p[w->out.size] = '\0';
    return 0;
}

static int put_text(struct writer *w, const char *text)
{
    return put_bytes(w, text, strlen(text));
}

/* A JSON string (RFC 8259 section 7). Fails when the text is not UTF-8, without quoting it. */
static int put_string(struct writer *w, const char *text, size_t len)
{
    size_t plain = 0; /* characters since the last escape */
    int r;

    if (!utf8_valid(text, len)) {
        return error_set(w->err, EINVAL,
                         "a value that is not UTF-8 cannot stand in an argument or the "
                         "environment; use a format such as :base64");
    }
    r = put_text(w, "\"");
    for (size_t i = 0; i < len && r == 0; i++) {
        const unsigned char c = (unsigned char)text[i];
        char escape[8];

        if (c >= 0x20 && c != '"' && c != '\\') {
            plain++;
            continue;
        }
        (void)snprintf(escape, sizeof(escape), "\\u%04x", c);
        r = put_bytes(w, text + i - plain, plain);
        if (r == 0) {
            r = put_text(w, escape);
        }
        plain = 0;
    }
    if (r == 0) {
        r = put_bytes(w, text + len - plain, plain);
    }
    return r == 0 ? put_text(w, "\"") : r;
}

static int put_hex(struct writer *w, const uint8_t value[static 32])
{
    char hex[65];
    int r;

    hex_encode(hex, value, 32);
    r = put_string(w, hex, 64);
    ct_wipe(hex, sizeof(hex));
    return r;
}

static void wipe_string(char **s)
{
    if (*s != NULL) {
        ct_wipe(*s, strlen(*s));
        free(*s);
    }
}

/* A text of the session with its macros replaced. */
static int put_expanded(struct writer *w, const char *text)
{
    _cleanup_(wipe_string) char *value = NULL;
    int r = pol_expand_string(w->session, text, w->values, &value, w->err);

    return r == 0 ? put_string(w, value, strlen(value)) : r;
}

static int put_argv(struct writer *w, const struct pol_service *service)
{
    int r = put_text(w, ",\"argv\":[");

    for (size_t i = 0; i < service->command.count && r == 0; i++) {
        if (i > 0) {
            r = put_text(w, ",");
        }
        if (r == 0) {
            r = put_expanded(w, service->command.items[i]);
        }
        if (r < 0) {
            (void)error_wrap(w->err, "argument %zu", i);
        }
    }
    return r == 0 ? put_text(w, "]") : r;
}

static int put_environment(struct writer *w, const struct pol_service *service)
{
    int r = put_text(w, ",\"environment\":[");

    for (size_t i = 0; i < service->env_count && r == 0; i++) {
        const struct pol_env *e = &service->env[i];

        r = put_text(w, i > 0 ? ",[" : "[");
        if (r == 0) {
            r = put_string(w, e->name, strlen(e->name));
        }
        if (r == 0) {
            r = put_text(w, ",");
        }
        if (r == 0) {
            r = put_expanded(w, e->value);
        }
        if (r < 0) {
            (void)error_wrap(w->err, "environment %s", e->name);
        } else {
            r = put_text(w, "]");
        }
    }
    return r == 0 ? put_text(w, "]") : r;
}

/* 64 hex digits, or one macro of a binary secret of 32 bytes. */
static int expand_key(const struct pol_session *s, const char *text,
                      const struct pol_values *values, uint8_t ret[static 32], struct error **err)
{
    uint8_t *value = NULL;
    size_t size = 0;
    int r;

    if (strlen(text) == 64 && hex_decode(ret, 32, text, 64) == 0) {
        return 0;
    }
    r = pol_expand(s, text, values, &value, &size, err);
    if (r < 0) {
        return r;
    }
    if (size == 32) {
        memcpy(ret, value, 32);
    } else {
        r = error_set(err, EINVAL, "the secret has %zu bytes, a key has 32", size);
    }
    ct_wipe(value, size);
    free(value);
    return r;
}

static int put_sealed(struct writer *w, const struct pol_service *service)
{
    uint8_t key[32];
    int r;

    if (service->fspf_key == NULL) {
        return service->has_sealed_root
                   ? error_set(w->err, EINVAL, "sealed_root without fspf_key: the key is missing")
                   : 0;
    }
    r = expand_key(w->session, service->fspf_key, w->values, key, w->err);
    if (r < 0) {
        (void)error_wrap(w->err, "fspf_key");
        return r;
    }
    r = put_text(w, ",\"sealed\":{\"key\":");
    if (r == 0) {
        r = put_hex(w, key);
    }
    ct_wipe(key, sizeof(key));
    /* The root in full, or as much of it as the session says; the rest is the measured one. */
    if (r == 0 && (service->has_sealed_root || service->has_fspf_tag)) {
        r = put_text(w, ",\"root\":");
    }
    if (r == 0 && service->has_sealed_root) {
        r = put_hex(w, service->sealed_root.b);
    } else if (r == 0 && service->has_fspf_tag) {
        char tag[2 * sizeof(service->fspf_tag) + 1];

        hex_encode(tag, service->fspf_tag, sizeof(service->fspf_tag));
        r = put_string(w, tag, strlen(tag));
    }
    return r == 0 ? put_text(w, "}") : r;
}

/* Files belong to whoever the service runs as: his alone, when the session says 0o400. */
static int put_file(struct writer *w, const struct pol_user *u, const struct pol_file *f)
{
    uint8_t *data = NULL;
    char *text = NULL;
    size_t size = 0;
    char head[80];
    int r = pol_expand(w->session, f->content, w->values, &data, &size, w->err);

    if (r < 0) {
        (void)error_wrap(w->err, "file %s", f->path);
        return r;
    }
    text = malloc(BASE64_SIZE(size) + 1);
    if (text == NULL) {
        r = error_set_errno(w->err, ENOMEM, "making the document");
    } else {
        base64_encode(text, data, size);
        r = put_text(w, "{\"path\":");
    }
    if (r == 0) {
        r = put_string(w, f->path, strlen(f->path));
    }
    if (r == 0) {
        (void)snprintf(head, sizeof(head), ",\"mode\":%u,\"uid\":%u,\"gid\":%u,\"data\":\"",
                       f->mode, u->uid, u->gid);
        r = put_text(w, head);
    }
    if (r == 0) {
        r = put_bytes(w, text, BASE64_SIZE(size));
    }
    if (text != NULL) {
        ct_wipe(text, BASE64_SIZE(size));
    }
    free(text);
    ct_wipe(data, size);
    free(data);
    return r == 0 ? put_text(w, "\"}") : r;
}

static int put_files(struct writer *w, const struct pol_user *u, const struct pol_image *image)
{
    int r = put_text(w, ",\"files\":[");

    for (size_t i = 0; image != NULL && i < image->file_count && r == 0; i++) {
        if (i > 0) {
            r = put_text(w, ",");
        }
        if (r == 0) {
            r = put_file(w, u, &image->files[i]);
        }
    }
    return r == 0 ? put_text(w, "]") : r;
}

int provision_volume_get(const struct pol_session *s, const struct pol_volume *volume,
                         const struct pol_values *values, struct provision_volume *ret,
                         struct error **err)
{
    int r;

    if (volume->fspf_key == NULL || !volume->has_sealed_root) {
        return error_set(err, EINVAL,
                         "volume '%s' of session %s lacks %s: volumes are sealed images, with key "
                         "and root",
                         volume->name, s->name,
                         volume->fspf_key == NULL ? "fspf_key" : "sealed_root");
    }
    memcpy(ret->root, volume->sealed_root.b, sizeof(ret->root));
    r = expand_key(s, volume->fspf_key, values, ret->key, err);
    if (r < 0) {
        (void)error_wrap(err, "volume '%s'", volume->name);
    }
    return r;
}

static int put_volume(struct writer *w, const struct pol_mount *m)
{
    const struct pol_volume *volume = pol_find_volume(w->session, m->name);
    struct provision_volume v = {0};
    int r;

    if (volume == NULL) {
        return error_set(w->err, EINVAL, "there is no volume '%s'", m->name);
    }
    r = volume->is_import ? w->imports->get(w->imports->ctx, w->session, volume, &v, w->err)
                          : provision_volume_get(w->session, volume, w->values, &v, w->err);
    r = r < 0 ? r : put_text(w, "{\"name\":");
    r = r < 0 ? r : put_string(w, m->name, strlen(m->name));
    r = r < 0 ? r : put_text(w, ",\"path\":");
    r = r < 0 ? r : put_string(w, m->path, strlen(m->path));
    r = r < 0 ? r : put_text(w, ",\"key\":");
    r = r < 0 ? r : put_hex(w, v.key);
    r = r < 0 ? r : put_text(w, ",\"root\":");
    r = r < 0 ? r : put_hex(w, v.root);
    ct_wipe(&v, sizeof(v));
    return r < 0 ? r : put_text(w, "}");
}

static int put_volumes(struct writer *w, const struct pol_image *image)
{
    int r = put_text(w, ",\"volumes\":[");

    for (size_t i = 0; image != NULL && i < image->mount_count && r == 0; i++) {
        if (i > 0) {
            r = put_text(w, ",");
        }
        if (r == 0) {
            r = put_volume(w, &image->mounts[i]);
        }
    }
    return r == 0 ? put_text(w, "]") : r;
}

static int put_user(struct writer *w, const struct pol_user *u)
{
    char number[40];
    int r;

    if (!u->present) {
        return 0;
    }
    (void)snprintf(number, sizeof(number), "{\"uid\":%u,\"gid\":%u", u->uid, u->gid);
    r = put_text(w, ",\"user\":");
    r = r < 0 ? r : put_text(w, number);
    r = r < 0 ? r : put_text(w, ",\"groups\":[");
    for (size_t i = 0; i < u->group_count && r == 0; i++) {
        (void)snprintf(number, sizeof(number), "%s%u", i > 0 ? "," : "", u->groups[i]);
        r = put_text(w, number);
    }
    return r == 0 ? put_text(w, "]}") : r;
}

static int put_all(struct writer *w, const struct pol_service *service)
{
    const struct pol_image *image =
        service->image_name != NULL ? pol_find_image(w->session, service->image_name) : NULL;
    const char *pwd = service->pwd != NULL ? service->pwd : "/";
    int r;

    if (service->command.count == 0) {
        return error_set(w->err, EINVAL, "service '%s' has no command", service->name);
    }
    r = put_text(w, "{\"version\":1");
    if (r == 0) {
        r = put_argv(w, service);
    }
    if (r == 0) {
        r = put_environment(w, service);
    }
    if (r == 0) {
        r = put_text(w, ",\"pwd\":");
    }
    if (r == 0) {
        r = put_string(w, pwd, strlen(pwd));
    }
    if (r == 0) {
        r = put_sealed(w, service);
    }
    if (r == 0) {
        r = put_volumes(w, image);
    }
    if (r == 0) {
        r = put_files(w, &service->user, image);
    }
    if (r == 0) {
        r = put_user(w, &service->user);
    }
    return r == 0 ? put_text(w, "}") : r;
}

int provision_document(const struct pol_session *s, const struct pol_service *service,
                       const struct pol_values *values, const struct provision_imports *imports,
                       struct cas_bytes *ret, struct error **err)
{
    _cleanup_error_ struct error *own = NULL;
    struct writer w = {
        .session = s, .values = values, .imports = imports, .err = err != NULL ? err : &own};
    int r = put_all(&w, service);

    if (r < 0) {
        if (w.out.p != NULL) {
            ct_wipe(w.out.p, w.cap);
        }
        free(w.out.p);
        return r;
    }
    *ret = w.out;
    return 0;
}
