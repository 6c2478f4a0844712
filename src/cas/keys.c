/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cas/keys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crypto.h"
#include "base/fs.h"
#include "base/keyid.h"
#include "base/state_dir.h"
#include "core/ct.h"

#define CERT_LIFE ((int64_t)30 * 365 * 86400)
#define NAMES_MAX 64

void cas_home_clear(struct cas_home *h)
{
    free(h->dir);
    free(h->cert_path);
    if (h->lock_fd > 0) {
        (void)close(h->lock_fd);
    }
    cas_bytes_clear(&h->tls_key);
    cas_bytes_clear(&h->tls_cert);
    ct_wipe(h->master, sizeof(h->master));
    *h = (struct cas_home){0};
}

char *cas_home_path(const struct cas_home *h, const char *name)
{
    char *p = NULL;

    return asprintf(&p, "%s/%s", h->dir, name) < 0 ? NULL : p;
}

static int take_lock(struct cas_home *h, struct error **err)
{
    _cleanup_free_ char *path = cas_home_path(h, ".serve");

    if (path == NULL) {
        return error_set_errno(err, ENOMEM, "opening %s", h->dir);
    }
    h->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (h->lock_fd < 0) {
        return error_set_errno(err, errno, "cannot open %s", path);
    }
    if (flock(h->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        return error_set(err, EBUSY, "another CAS serves from %s", h->dir);
    }
    return 0;
}

static bool exists(const struct cas_home *h, const char *name)
{
    _cleanup_free_ char *path = cas_home_path(h, name);

    return path != NULL && access(path, F_OK) == 0;
}

static int read_file(const struct cas_home *h, const char *name, size_t max, struct cas_bytes *ret,
                     struct error **err)
{
    _cleanup_free_ char *path = cas_home_path(h, name);

    return path != NULL ? fs_read_file(path, max, &ret->p, &ret->size, err)
                        : error_set_errno(err, ENOMEM, "reading %s", name);
}

static int write_file(const struct cas_home *h, const char *name, const struct cas_bytes *data,
                      unsigned mode, struct error **err)
{
    _cleanup_free_ char *path = cas_home_path(h, name);

    return path != NULL ? fs_write_file_atomic(path, data->p, data->size, mode, err)
                        : error_set_errno(err, ENOMEM, "writing %s", name);
}

static int open_master(struct cas_home *h, struct error **err)
{
    _cleanup_bytes_ struct cas_bytes key = {0};
    int r;

    if (exists(h, "master.key")) {
        r = read_file(h, "master.key", STORE_KEY_SIZE, &key, err);
        if (r == 0 && key.size != STORE_KEY_SIZE) {
            r = error_set(err, EINVAL, "%s/master.key does not have %d bytes", h->dir,
                          STORE_KEY_SIZE);
        }
        if (r == 0) {
            memcpy(h->master, key.p, STORE_KEY_SIZE);
        }
        return r;
    }
    if (exists(h, "cas.db")) {
        return error_set(err, ENOKEY,
                         "%s has a database and no master.key; bring the key back, without it the "
                         "database cannot be read",
                         h->dir);
    }
    r = crypto_random(h->master, STORE_KEY_SIZE);
    if (r == 0) {
        r = cas_bytes_copy(h->master, STORE_KEY_SIZE, &key);
    }
    return r < 0 ? error_set_errno(err, -r, "making the master key")
                 : write_file(h, "master.key", &key, 0600, err);
}

/* Which names the certificate gets: those asked for, and those of this machine. */
static int collect_names(size_t count, const char *const *names, struct pol_texts *dns,
                         struct pol_texts *ip, struct error **err)
{
    static const char *const always_dns[] = {"localhost", "cas"};
    static const char *const always_ip[] = {"127.0.0.1", "::1"};
    static char host[256];

    for (size_t i = 0; i < count; i++) {
        uint8_t raw[16];
        const bool is_ip =
            inet_pton(AF_INET, names[i], raw) == 1 || inet_pton(AF_INET6, names[i], raw) == 1;
        struct pol_texts *to = is_ip ? ip : dns;

        if (to->count >= NAMES_MAX - 4) {
            return error_set(err, EINVAL, "too many names for the certificate");
        }
        if (!is_ip && strspn(names[i], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "0123456789.-*_") != strlen(names[i])) {
            return error_set(err, EINVAL, "'%s' is neither a host name nor an address", names[i]);
        }
        to->items[to->count++] = names[i];
    }
    for (size_t i = 0; i < 2; i++) {
        dns->items[dns->count++] = always_dns[i];
        ip->items[ip->count++] = always_ip[i];
    }
    if (gethostname(host, sizeof(host) - 1) == 0 && host[0] != '\0' &&
        strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") ==
            strlen(host)) {
        dns->items[dns->count++] = host;
    }
    return 0;
}

static int make_identity(struct cas_home *h, size_t name_count, const char *const *names,
                         struct error **err)
{
    const char *dns_items[NAMES_MAX];
    const char *ip_items[NAMES_MAX];
    struct pol_texts dns = {.items = dns_items};
    struct pol_texts ip = {.items = ip_items};
    const int64_t now = (int64_t)time(NULL);
    const struct ca_request req = {
        .common_name = "nacre-cas",
        .endpoint = ENDPOINT_SERVER,
        .dns = &dns,
        .ip = &ip,
        .not_before = now - 300,
        .not_after = now + CERT_LIFE,
        .key = &h->tls_key,
    };
    _cleanup_bytes_ struct cas_bytes key_pem = {0};
    _cleanup_bytes_ struct cas_bytes cert_pem = {0};
    int r = collect_names(name_count, names, &dns, &ip, err);

    if (r == 0) {
        r = ca_key_generate(KEY_TYPE_P256, &h->tls_key, err);
    }
    if (r == 0) {
        r = ca_issue(&req, &h->tls_cert, err);
    }
    if (r < 0) {
        return r;
    }
    if (ca_pem_append("PRIVATE KEY", &h->tls_key, &key_pem) < 0 ||
        ca_pem_append("CERTIFICATE", &h->tls_cert, &cert_pem) < 0) {
        return error_set_errno(err, ENOMEM, "making the TLS key");
    }
    /* The key first: a certificate without its key would look like a lost key. */
    r = write_file(h, "tls-key.pem", &key_pem, 0600, err);
    return r == 0 ? write_file(h, "tls-cert.pem", &cert_pem, 0644, err) : r;
}

static int open_identity(struct cas_home *h, size_t name_count, const char *const *names,
                         struct error **err)
{
    _cleanup_bytes_ struct cas_bytes key = {0};
    _cleanup_bytes_ struct cas_bytes cert = {0};
    int r;

    if (!exists(h, "tls-cert.pem")) {
        return make_identity(h, name_count, names, err);
    }
    r = read_file(h, "tls-key.pem", CRYPTO_PEM_MAX, &key, err);
    if (r == 0) {
        r = read_file(h, "tls-cert.pem", CRYPTO_PEM_MAX, &cert, err);
    }
    if (r == 0) {
        r = ca_key_from_pem((char *)key.p, key.size, &h->tls_key, err);
    }
    if (r == 0) {
        r = ca_certificate_from_pem((char *)cert.p, cert.size, &h->tls_cert, err);
    }
    if (r == 0 && !ca_key_matches(&h->tls_cert, &h->tls_key)) {
        r = error_set(err, EINVAL, "%s: tls-key.pem is not the key of tls-cert.pem", h->dir);
    }
    return r;
}

static int find_key_id(struct cas_home *h, struct error **err)
{
    _cleanup_bytes_ struct cas_bytes pem = {0};
    struct keyid id;
    int r = ca_pem_append("CERTIFICATE", &h->tls_cert, &pem);

    if (r == 0) {
        r = keyid_from_certificate_pem((char *)pem.p, pem.size, &id);
    }
    if (r < 0) {
        return error_set_errno(err, -r, "reading the TLS certificate");
    }
    memcpy(h->key_id, id.spki_hash, sizeof(h->key_id));
    return 0;
}

int cas_home_open(const char *dir, size_t name_count, const char *const *names,
                  struct cas_home *ret, struct error **err)
{
    _cleanup_home_ struct cas_home h = {0};
    int r;

    if (dir != NULL) {
        r = state_dir_make_private(dir, err);
        h.dir = strdup(dir);
    } else {
        r = state_dir_make("cas", &h.dir, err);
    }
    if (r == 0 && h.dir == NULL) {
        r = error_set_errno(err, ENOMEM, "opening the directory");
    }
    if (r == 0) {
        r = take_lock(&h, err);
    }
    if (r == 0) {
        r = open_master(&h, err);
    }
    if (r == 0) {
        r = open_identity(&h, name_count, names, err);
    }
    if (r == 0) {
        r = find_key_id(&h, err);
    }
    if (r < 0) {
        return r;
    }
    h.cert_path = cas_home_path(&h, "tls-cert.pem");
    *ret = h;
    h = (struct cas_home){0};
    return 0;
}
