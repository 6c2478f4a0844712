/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cas/pccs.h"

#include <curl/curl.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/state_dir.h"
#include "cas/evidence.h"
#include "core/hex.h"

#define CONNECT_MS 4000L
#define TOTAL_MS   8000L
#define HEADER_MAX ((size_t)32 * 1024)

/* Intel's own service has the root's list elsewhere ("Intel SGX PCK Certificate and CRL Profile",
 * CRL distribution point of the root). */
#define INTEL_HOST     "https://api.trustedservices.intel.com"
#define INTEL_ROOT_CRL "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"

struct pccs {
    char *base;
    char *ca_file;
    char *cache;
    pthread_mutex_t lock; /* one fetch at a time */
};

struct reply {
    uint8_t *body;
    size_t size;
    size_t max;
    const char *chain_name; /* of the header that carries a chain; NULL: none is wanted */
    char *chain;            /* PEM */
};

static void reply_clear(struct reply *r)
{
    free(r->body);
    free(r->chain);
}
#define _cleanup_reply_ _cleanup_(reply_clear)

/* ---- one request ---------------------------------------------------------------------------- */

static size_t take_body(char *data, size_t one, size_t count, void *ctx)
{
    struct reply *r = ctx;
    const size_t size = one * count;
    uint8_t *grown;

    if (size > r->max - r->size) {
        return 0;
    }
    grown = realloc(r->body, r->size + size + 1);
    if (grown == NULL) {
        return 0;
    }
    memcpy(grown + r->size, data, size);
    r->body = grown;
    r->size += size;
    return size;
}

static size_t take_header(char *data, size_t one, size_t count, void *ctx)
{
    struct reply *r = ctx;
    const size_t size = one * count;
    const size_t name = r->chain_name != NULL ? strlen(r->chain_name) : 0;
    const char *value = data + name + 1;
    int len = 0;
    char *text;

    if (name == 0 || size <= name + 1 || size > HEADER_MAX || data[name] != ':' ||
        strncasecmp(data, r->chain_name, name) != 0) {
        return size;
    }
    while (value < data + size && *value == ' ') {
        value++;
    }
    /* Escaped as in addresses: one PEM after the other on one line. */
    text = curl_easy_unescape(NULL, value, (int)(data + size - value), &len);
    if (text != NULL) {
        while (len > 0 && (text[len - 1] == '\r' || text[len - 1] == '\n')) {
            len--;
        }
        free(r->chain);
        if (asprintf(&r->chain, "%.*s\n", len, text) < 0) {
            r->chain = NULL;
        }
        curl_free(text);
    }
    return size;
}

static int perform(CURL *curl, const char *url, struct error **err)
{
    char detail[CURL_ERROR_SIZE] = "";
    CURLcode code;
    long status = 0;

    (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
    code = curl_easy_perform(curl);
    if (code != CURLE_OK) {
        return error_set(err, EHOSTUNREACH, "%s: %s", url,
                         detail[0] != '\0' ? detail : curl_easy_strerror(code));
    }
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (status == 404) {
        return error_set(err, ENOENT, "%s: not found", url);
    }
    return status == 200 ? 0 : error_set(err, EREMOTEIO, "%s answers with status %ld", url, status);
}

static int get(const struct pccs *p, const char *url, struct reply *r, struct error **err)
{
    CURL *curl = curl_easy_init();
    int ret;

    if (curl == NULL) {
        return error_set_errno(err, ENOMEM, "fetching collateral");
    }
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
#if LIBCURL_VERSION_NUM >= 0x075500
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    if (p->ca_file != NULL) {
        (void)curl_easy_setopt(curl, CURLOPT_CAINFO, p->ca_file);
        (void)curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
    }
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TOTAL_MS);
    (void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "nacre");
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, r);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, r);
    ret = perform(curl, url, err);
    curl_easy_cleanup(curl);
    if (ret == 0 && r->size == 0) {
        ret = error_set(err, EREMOTEIO, "%s answers with nothing", url);
    }
    if (ret == 0 && r->chain_name != NULL && r->chain == NULL) {
        ret = error_set(err, EREMOTEIO, "%s answers without the header %s", url, r->chain_name);
    }
    return ret;
}

/* Caching services give revocation lists as hex digits, Intel's own gives DER. */
static int undo_hex(struct reply *r, const char *what, struct error **err)
{
    size_t len = r->size;
    uint8_t *der;

    if (r->body[0] == 0x30 && len > 1 && (r->body[1] & 0x80) != 0) {
        return 0; /* a SEQUENCE of more than 127 bytes */
    }
    while (len > 0 && (r->body[len - 1] == '\n' || r->body[len - 1] == '\r')) {
        len--;
    }
    der = malloc(len / 2 + 1);
    if (der == NULL) {
        return error_set_errno(err, ENOMEM, "fetching collateral");
    }
    if (len == 0 || len % 2 != 0 || hex_decode(der, len / 2, (const char *)r->body, len) < 0) {
        free(der);
        return error_set(err, EREMOTEIO, "%s is neither DER nor hex digits", what);
    }
    free(r->body);
    r->body = der;
    r->size = len / 2;
    return 0;
}

/* ---- a set ---------------------------------------------------------------------------------- */

static int save(const char *dir, const char *name, const void *data, size_t size,
                struct error **err)
{
    _cleanup_free_ char *path = NULL;

    if (asprintf(&path, "%s/%s", dir, name) < 0) {
        path = NULL;
        return error_set_errno(err, ENOMEM, "saving collateral");
    }
    return fs_write_file_atomic(path, data, size, 0644, err);
}

static int fetch_document(const struct pccs *p, const char *tail, const char *header,
                          const char *name, const char *dir, bool with_chain, struct error **err)
{
    _cleanup_reply_ struct reply r = {.max = ATT_JSON_MAX, .chain_name = header};
    _cleanup_free_ char *url = NULL;
    int ret;

    if (asprintf(&url, "%s%s", p->base, tail) < 0) {
        url = NULL;
        return error_set_errno(err, ENOMEM, "fetching collateral");
    }
    ret = get(p, url, &r, err);
    if (ret == 0) {
        ret = save(dir, name, r.body, r.size, err);
    }
    if (ret == 0 && with_chain) {
        ret = save(dir, "tcb_signing_chain.pem", r.chain, strlen(r.chain), err);
    }
    return ret;
}

static int fetch_crl(const struct pccs *p, const char *url, const char *name, const char *dir,
                     struct error **err)
{
    _cleanup_reply_ struct reply r = {.max = ATT_CRL_MAX};
    int ret = get(p, url, &r, err);

    if (ret == 0) {
        ret = undo_hex(&r, url, err);
    }
    return ret == 0 ? save(dir, name, r.body, r.size, err) : ret;
}

static int fetch_crls(const struct pccs *p, enum att_pck_ca ca, const char *dir, struct error **err)
{
    _cleanup_free_ char *pck = NULL;
    _cleanup_free_ char *root = NULL;
    int r;

    if (asprintf(&pck, "%s/pckcrl?ca=%s&encoding=der", p->base,
                 ca == ATT_PCK_PLATFORM ? "platform" : "processor") < 0) {
        pck = NULL;
        return error_set_errno(err, ENOMEM, "fetching collateral");
    }
    if (strncmp(p->base, INTEL_HOST, strlen(INTEL_HOST)) == 0) {
        root = strdup(INTEL_ROOT_CRL);
    } else if (asprintf(&root, "%s/rootcacrl", p->base) < 0) {
        root = NULL;
    }
    if (root == NULL) {
        return error_set_errno(err, ENOMEM, "fetching collateral");
    }
    r = fetch_crl(p, pck, "pck_crl.der", dir, err);
    return r == 0 ? fetch_crl(p, root, "root_ca_crl.der", dir, err) : r;
}

static int fetch_set(const struct pccs *p, const struct att_platform *platform, const char *dir,
                     struct error **err)
{
    char fmspc[13];
    char tcb[64];
    int r;

    hex_encode(fmspc, platform->fmspc, sizeof(platform->fmspc));
    (void)snprintf(tcb, sizeof(tcb), "/tcb?fmspc=%s", fmspc);
    r = fetch_document(p, tcb, "TCB-Info-Issuer-Chain", "tcb_info.json", dir, true, err);
    if (r == 0) {
        r = fetch_document(p, "/qe/identity", "SGX-Enclave-Identity-Issuer-Chain",
                           "qe_identity.json", dir, false, err);
    }
    return r == 0 ? fetch_crls(p, platform->ca, dir, err) : r;
}

static void remove_set(const char *dir)
{
    static const char *const names[] = {"tcb_info.json", "qe_identity.json",
                                        "tcb_signing_chain.pem", "pck_crl.der", "root_ca_crl.der"};

    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, "%s/%s", dir, names[i]) < 0) {
            path = NULL;
        } else {
            (void)unlink(path);
        }
    }
    (void)rmdir(dir);
}

/* Puts the new set in the place of the old one, so that nobody sees a mixture. */
static int publish(const char *fresh, const char *dir, struct error **err)
{
    if (rename(fresh, dir) == 0 ||
        (renameat2(AT_FDCWD, fresh, AT_FDCWD, dir, RENAME_EXCHANGE) == 0)) {
        return 0;
    }
    return error_set_errno(err, errno, "cannot put collateral into %s", dir);
}

static int fetch_locked(struct pccs *p, const struct att_platform *platform, struct error **err)
{
    _cleanup_free_ char *fresh = NULL;
    _cleanup_free_ char *dir = NULL;
    char fmspc[13];
    int r;

    if (platform->tdx) {
        return error_set(err, EOPNOTSUPP, "collateral of TDX platforms is not fetched");
    }
    hex_encode(fmspc, platform->fmspc, sizeof(platform->fmspc));
    if (asprintf(&dir, "%s/%s-%s", p->cache, fmspc,
                 platform->ca == ATT_PCK_PLATFORM ? "platform" : "processor") < 0) {
        dir = NULL;
        return error_set_errno(err, ENOMEM, "fetching collateral");
    }
    if (asprintf(&fresh, "%s/.new-XXXXXX", p->cache) < 0 || mkdtemp(fresh) == NULL) {
        return error_set_errno(err, errno, "cannot make a directory in %s", p->cache);
    }
    r = fetch_set(p, platform, fresh, err);
    if (r == 0) {
        r = evidence_check_set(fresh, err); /* nothing that would spoil the next start */
    }
    if (r == 0) {
        r = publish(fresh, dir, err);
    }
    remove_set(fresh); /* the new one after a failure, else the old one */
    return r;
}

int pccs_fetch(void *ctx, const struct att_platform *platform, struct error **err)
{
    struct pccs *p = ctx;
    int r;

    (void)pthread_mutex_lock(&p->lock);
    r = fetch_locked(p, platform, err);
    (void)pthread_mutex_unlock(&p->lock);
    return r;
}

/* ---- the cache ------------------------------------------------------------------------------ */

/* "00606a000000-platform" */
static bool parse_name(const char *name, struct att_platform *ret)
{
    *ret = (struct att_platform){0};
    if (strlen(name) < 14 || name[12] != '-' || hex_decode(ret->fmspc, 6, name, 12) < 0) {
        return false;
    }
    ret->ca = strcmp(name + 13, "platform") == 0 ? ATT_PCK_PLATFORM : ATT_PCK_PROCESSOR;
    return ret->ca == ATT_PCK_PLATFORM || strcmp(name + 13, "processor") == 0;
}

int pccs_renew(struct pccs *p, int64_t now, int64_t seconds, struct error **err)
{
    DIR *d = opendir(p->cache);
    const struct dirent *e;
    int count = 0;

    if (d == NULL) {
        return error_set_errno(err, errno, "cannot read %s", p->cache);
    }
    while ((e = readdir(d)) != NULL) {
        _cleanup_free_ char *path = NULL;
        struct att_platform platform;
        struct stat st;

        if (!parse_name(e->d_name, &platform)) {
            continue;
        }
        if (asprintf(&path, "%s/%s/tcb_info.json", p->cache, e->d_name) < 0) {
            path = NULL;
            continue;
        }
        if (stat(path, &st) == 0 && now - (int64_t)st.st_mtime >= seconds &&
            pccs_fetch(p, &platform, err) == 0) {
            count++;
        }
    }
    (void)closedir(d);
    return count;
}

int pccs_new(const char *url, const char *ca_file, const char *cache_dir, struct pccs **ret,
             struct error **err)
{
    struct pccs *p;
    const char *host;
    size_t len = strlen(url);
    int r;

    host = strncmp(url, "https://", 8) == 0  ? url + 8
           : strncmp(url, "http://", 7) == 0 ? url + 7
                                             : NULL;
    if (host == NULL || *host == '\0' || *host == '/') {
        return error_set(err, EINVAL, "--pccs wants https://HOST[:PORT], not '%s'", url);
    }
    while (len > 0 && url[len - 1] == '/') {
        len--;
    }
    r = state_dir_make_private(cache_dir, err);
    if (r < 0) {
        return r;
    }
    p = calloc(1, sizeof(*p));
    if (p == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
        pthread_mutex_init(&p->lock, NULL) != 0) {
        free(p);
        return error_set_errno(err, ENOMEM, "starting");
    }
    if (asprintf(&p->base, "%.*s%s", (int)len, url,
                 strchr(host, '/') != NULL && strchr(host, '/') < url + len ? "" : PCCS_PATH) < 0) {
        p->base = NULL;
    }
    p->cache = strdup(cache_dir);
    p->ca_file = ca_file != NULL ? strdup(ca_file) : NULL;
    if (p->base == NULL || p->cache == NULL || (ca_file != NULL && p->ca_file == NULL)) {
        (void)pccs_free(p);
        return error_set_errno(err, ENOMEM, "starting");
    }
    *ret = p;
    return 0;
}

struct pccs *pccs_free(struct pccs *p)
{
    if (p != NULL) {
        (void)pthread_mutex_destroy(&p->lock);
        free(p->base);
        free(p->ca_file);
        free(p->cache);
        free(p);
    }
    return NULL;
}
