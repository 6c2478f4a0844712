/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cas/client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/fs.h"
#include "base/keyid.h"
#include "base/state_dir.h"
#include "cas/ca.h"
#include "cas/cas.h"
#include "cas/pins.h"
#include "cas/signatures.h"
#include "core/ct.h"
#include "core/hex.h"
#include "policy/text.h"

#define ANSWER_MAX    ((size_t)16 * 1024 * 1024)
#define CONNECT_S     10L
#define TOTAL_S       120L
#define IDENTITY_LIFE ((int64_t)30 * 365 * 86400)

struct cas_client {
    CURL *curl;
    char *base; /* "https://host:port" */
    char *identity;
    bool pinned; /* it is known who the server must be */
    bool has_peer;
    uint8_t peer[32];              /* the key it has */
    struct curl_slist *signatures; /* headers */
};

struct answer {
    char *p;
    size_t size;
    bool too_large;
};

static size_t receive(char *data, size_t one, size_t count, void *ctx)
{
    struct answer *a = ctx;
    const size_t size = one * count;
    char *grown;

    if (size > ANSWER_MAX - a->size) {
        a->too_large = true;
        return 0;
    }
    grown = realloc(a->p, a->size + size + 1);
    if (grown == NULL) {
        return 0;
    }
    memcpy(grown + a->size, data, size);
    a->p = grown;
    a->size += size;
    a->p[a->size] = '\0';
    return size;
}

static const char *first_of(const char *given, const char *env1, const char *env2)
{
    const char *v = given != NULL ? given : getenv(env1);

    return v == NULL && env2 != NULL ? getenv(env2) : v;
}

/* ---- address, pin, identity ----------------------------------------------------------------- */

static int make_base(const char *address, char **ret, struct error **err)
{
    static const char scheme[] = "https://";
    const char *host;
    const char *colon;
    const char *bracket;
    bool has_port;

    if (address == NULL || address[0] == '\0') {
        return error_set(err, EINVAL, "which CAS? give --cas HOST[:PORT] or set NACRE_CAS");
    }
    host = strncmp(address, scheme, strlen(scheme)) == 0 ? address + strlen(scheme) : address;
    if (strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]") !=
            strlen(host) ||
        host[0] == '\0') {
        return error_set(err, EINVAL, "'%s' is not HOST, HOST:PORT or https://HOST:PORT", address);
    }
    colon = strrchr(host, ':');
    bracket = strrchr(host, ']');
    has_port = colon != NULL && (bracket == NULL || colon > bracket);
    if (has_port ? asprintf(ret, "%s%s", scheme, host) < 0
                 : asprintf(ret, "%s%s:%d", scheme, host, CAS_PORT) < 0) {
        *ret = NULL;
        return error_set_errno(err, ENOMEM, "connecting");
    }
    return 0;
}

/* "sha256//BASE64", as libcurl wants it. */
static int set_pin(struct cas_client *c, const uint8_t key[static 32], struct error **err)
{
    char text[8 + BASE64_SIZE(32) + 1] = "sha256//";

    base64_encode(text + 8, key, 32);
    text[8 + BASE64_SIZE(32)] = '\0';
    return curl_easy_setopt(c->curl, CURLOPT_PINNEDPUBLICKEY, text) == CURLE_OK
               ? 0
               : error_set(err, EOPNOTSUPP, "this libcurl cannot pin keys");
}

static int parse_pin(const char *pin, uint8_t ret[static 32], struct error **err)
{
    uint8_t version = KEY_ID_VERSION_KEY;

    if (hex_decode(ret, 32, pin, strlen(pin)) < 0 &&
        (key_id_parse(pin, &version, ret) < 0 || version != KEY_ID_VERSION_KEY)) {
        return error_set(
            err, EINVAL,
            "the pin must be the key that 'nacre cas serve' prints (or 64 hex digits), "
            "not '%.80s'",
            pin);
    }
    return 0;
}

static int make_identity(const char *path, struct error **err)
{
    const struct pol_texts none = {0};
    const int64_t now = (int64_t)time(NULL);
    _cleanup_bytes_ struct cas_bytes key = {0};
    _cleanup_bytes_ struct cas_bytes cert = {0};
    _cleanup_bytes_ struct cas_bytes pem = {0};
    const struct ca_request req = {
        .common_name = "nacre-client",
        .endpoint = ENDPOINT_CLIENT,
        .dns = &none,
        .ip = &none,
        .not_before = now - 300,
        .not_after = now + IDENTITY_LIFE,
        .key = &key,
    };
    int r = ca_key_generate(KEY_TYPE_P256, &key, err);

    if (r == 0) {
        r = ca_issue(&req, &cert, err);
    }
    if (r < 0) {
        return r;
    }
    if (ca_pem_append("PRIVATE KEY", &key, &pem) < 0 ||
        ca_pem_append("CERTIFICATE", &cert, &pem) < 0) {
        return error_set_errno(err, ENOMEM, "making a client key");
    }
    return fs_write_file_atomic(path, pem.p, pem.size, 0600, err);
}

static int find_identity(struct cas_client *c, const char *given, struct error **err)
{
    _cleanup_free_ char *dir = NULL;
    int r;

    if (given != NULL) {
        if (access(given, R_OK) < 0) {
            return error_set(err, ENOENT, "cannot read the identity %s", given);
        }
        c->identity = strdup(given);
        return c->identity != NULL ? 0 : error_set_errno(err, ENOMEM, "connecting");
    }
    r = state_dir_make("client", &dir, err);
    if (r < 0) {
        return r;
    }
    if (asprintf(&c->identity, "%s/identity.pem", dir) < 0) {
        c->identity = NULL;
        return error_set_errno(err, ENOMEM, "connecting");
    }
    return access(c->identity, F_OK) == 0 ? 0 : make_identity(c->identity, err);
}

/* Finds the key the server must have. 1 with it, 0: none is known. */
static int find_pin(const struct cas_client *c, const char *pin, bool has_cert,
                    uint8_t ret[static 32], struct error **err)
{
    int r;

    if (pin != NULL) {
        r = parse_pin(pin, ret, err);
        return r < 0 ? r : 1;
    }
    return has_cert ? 0 : pins_get(cas_client_address(c), ret, err);
}

static int trust(struct cas_client *c, const char *pin, const char *cacert, bool learn,
                 struct error **err)
{
    uint8_t key[32];
    int r = find_pin(c, pin, cacert != NULL, key, err);

    if (r == 0 && cacert == NULL && !learn) {
        return error_set(err, EINVAL,
                         "which key does this CAS have? ask it once with 'nacre cas attest %s', or "
                         "give --pin KEY (printed by 'nacre cas serve') or --cacert FILE",
                         cas_client_address(c));
    }
    c->pinned = r == 1 || cacert != NULL;
    if (r == 1) {
        r = set_pin(c, key, err);
    }
    if (r < 0) {
        return r;
    }
    (void)curl_easy_setopt(c->curl, CURLOPT_CERTINFO, 1L);
    if (cacert != NULL) {
        (void)curl_easy_setopt(c->curl, CURLOPT_CAINFO, cacert);
        (void)curl_easy_setopt(c->curl, CURLOPT_CAPATH, NULL);
    } else {
        /* The pin alone says who the server is: exactly one key, compared by libcurl after the
         * handshake and whatever certificate it comes in. Names and issuers could only add keys.
         * Without a pin (learn) whoever asks decides what the key he is shown is worth. */
        (void)curl_easy_setopt(c->curl, CURLOPT_SSL_VERIFYPEER, 0L);
        (void)curl_easy_setopt(c->curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    return 0;
}

int cas_client_new(const struct cas_client_options *o, struct cas_client **ret, struct error **err)
{
    _cleanup_client_ struct cas_client *c = calloc(1, sizeof(*c));
    int r;

    if (c == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return error_set_errno(err, ENOMEM, "connecting");
    }
    c->curl = curl_easy_init();
    if (c->curl == NULL) {
        return error_set_errno(err, ENOMEM, "connecting");
    }
    r = make_base(first_of(o->address, "NACRE_CAS", "SCONE_CAS_ADDR"), &c->base, err);
    if (r == 0) {
        r = trust(c, first_of(o->pin, "NACRE_CAS_PIN", NULL),
                  first_of(o->cacert, "NACRE_CAS_CACERT", NULL), o->learn, err);
    }
    if (r == 0) {
        r = find_identity(c, first_of(o->identity, "NACRE_IDENTITY", NULL), err);
    }
    if (r < 0) {
        return r;
    }
    (void)curl_easy_setopt(c->curl, CURLOPT_SSLCERT, c->identity);
    (void)curl_easy_setopt(c->curl, CURLOPT_SSLKEY, c->identity);
    (void)curl_easy_setopt(c->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
#if LIBCURL_VERSION_NUM >= 0x075500
    (void)curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "https");
#else
    (void)curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS, (long)CURLPROTO_HTTPS);
#endif
    (void)curl_easy_setopt(c->curl, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
    (void)curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, TOTAL_S);
    (void)curl_easy_setopt(c->curl, CURLOPT_USERAGENT, "nacre");
    *ret = TAKE_PTR(c);
    return 0;
}

struct cas_client *cas_client_free(struct cas_client *c)
{
    if (c != NULL) {
        curl_slist_free_all(c->signatures);
        curl_easy_cleanup(c->curl);
        free(c->base);
        free(c->identity);
        free(c);
    }
    return NULL;
}

const char *cas_client_address(const struct cas_client *c)
{
    return c->base + strlen("https://");
}

const char *cas_client_identity(const struct cas_client *c)
{
    return c->identity;
}

int cas_client_add_signature(struct cas_client *c, const char *value, struct error **err)
{
    _cleanup_free_ char *header = NULL;
    struct curl_slist *grown;

    if (asprintf(&header, SIGNATURE_HEADER ": %s", value) < 0) {
        header = NULL;
        return error_set_errno(err, ENOMEM, "signing");
    }
    grown = curl_slist_append(c->signatures, header);
    if (grown == NULL) {
        return error_set_errno(err, ENOMEM, "signing");
    }
    c->signatures = grown;
    return 0;
}

bool cas_client_is_pinned(const struct cas_client *c)
{
    return c->pinned;
}

bool cas_client_peer(const struct cas_client *c, uint8_t ret[static 32])
{
    if (c->has_peer) {
        memcpy(ret, c->peer, sizeof(c->peer));
    }
    return c->has_peer;
}

/* ---- asking --------------------------------------------------------------------------------- */

static int make_url(struct cas_client *c, const char *path, const char *name, const char *query,
                    char **ret, struct error **err)
{
    char *escaped = name != NULL ? curl_easy_escape(c->curl, name, 0) : NULL;
    int n = -1;

    if (name == NULL || escaped != NULL) {
        n = asprintf(ret, "%s%s%s%s%s", c->base, path, escaped != NULL ? escaped : "",
                     query != NULL ? "?" : "", query != NULL ? query : "");
    }
    curl_free(escaped);
    if (n < 0) {
        *ret = NULL;
        return error_set_errno(err, ENOMEM, "asking CAS");
    }
    return 0;
}

static int curl_failure(const struct cas_client *c, CURLcode code, const char *detail,
                        struct error **err)
{
    switch (code) {
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        return error_set(err, EKEYREJECTED,
                         "%s has another key than the one pinned: it is not the CAS you mean",
                         c->base);
    case CURLE_PEER_FAILED_VERIFICATION:
        return error_set(err, EKEYREJECTED, "%s does not have the certificate in --cacert: %s",
                         c->base, detail);
    case CURLE_OPERATION_TIMEDOUT:
        return error_set(err, ETIMEDOUT, "%s does not answer in time", c->base);
    default:
        return error_set(err, EHOSTUNREACH, "cannot talk to CAS at %s: %s", c->base,
                         detail[0] != '\0' ? detail : curl_easy_strerror(code));
    }
}

/* The server's words: {"msg": [...]}. */
static int refusal(long status, const json_t *j, struct error **err)
{
    const json_t *list = json_object_get(j, "msg");
    _cleanup_free_ char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    int code = EREMOTEIO;

    if (f == NULL) {
        return error_set_errno(err, ENOMEM, "asking CAS");
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *s = json_string_value(json_array_get(list, i));

        /* Foreign text on a terminal. */
        for (fputs(i > 0 ? "\n  " : "", f); s != NULL && *s != '\0'; s++) {
            fputc((unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s, f);
        }
    }
    if (fclose(f) != 0) {
        return error_set_errno(err, ENOMEM, "asking CAS");
    }
    switch (status) {
    case 400: code = EINVAL; break;
    case 401:
    case 403: code = EACCES; break;
    case 404: code = ENOENT; break;
    case 409: code = EEXIST; break;
    default: break;
    }
    return error_set(err, code, "CAS refuses (%ld): %s", status,
                     size > 0 ? text : "no reason given");
}

/* Remembers the key of this exchange; whoever learns it stays with it. */
static int note_peer(struct cas_client *c, struct error **err)
{
    static const char label[] = "Cert:";
    struct curl_certinfo *info = NULL;
    struct keyid id;

    if (curl_easy_getinfo(c->curl, CURLINFO_CERTINFO, &info) != CURLE_OK || info == NULL ||
        info->num_of_certs < 1) {
        return 0;
    }
    for (const struct curl_slist *l = info->certinfo[0]; l != NULL; l = l->next) {
        if (strncmp(l->data, label, strlen(label)) != 0 ||
            keyid_from_certificate_pem(l->data + strlen(label), strlen(l->data) - strlen(label),
                                       &id) < 0) {
            continue;
        }
        c->has_peer = true;
        memcpy(c->peer, id.spki_hash, sizeof(c->peer));
        return c->pinned ? 0 : set_pin(c, c->peer, err);
    }
    return 0;
}

static int perform(struct cas_client *c, const char *url, struct answer *a, long *ret_status,
                   struct error **err)
{
    char detail[CURL_ERROR_SIZE] = "";
    CURLcode code;

    (void)curl_easy_setopt(c->curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, detail);
    (void)curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, receive);
    (void)curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, a);
    code = curl_easy_perform(c->curl);
    (void)curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, NULL);
    if (a->too_large) {
        return error_set(err, EMSGSIZE, "the answer of %s is larger than 16 MiB", c->base);
    }
    if (code != CURLE_OK) {
        return curl_failure(c, code, detail, err);
    }
    (void)curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, ret_status);
    return note_peer(c, err);
}

int cas_client_ask(struct cas_client *c, const char *method, const char *path, const char *name,
                   const char *query, const char *body, size_t size, json_t **ret,
                   struct error **err)
{
    struct curl_slist *headers = NULL; /* the type, then the signatures, which are not ours */
    _cleanup_free_ char *url = NULL;
    struct answer a = {0};
    json_error_t e;
    json_t *j = NULL;
    long status = 0;
    int r = make_url(c, path, name, query, &url, err);

    if (r < 0) {
        return r;
    }
    if (body != NULL) {
        headers = curl_slist_append(NULL, "Content-Type: application/x-yaml");
        (void)curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size);
        (void)curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body);
    } else {
        (void)curl_easy_setopt(c->curl, CURLOPT_HTTPGET, 1L);
    }
    if (headers != NULL) {
        headers->next = c->signatures;
    }
    (void)curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers != NULL ? headers : c->signatures);
    (void)curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, method);
    r = perform(c, url, &a, &status, err);
    (void)curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, NULL);
    if (headers != NULL) {
        headers->next = NULL;
    }
    curl_slist_free_all(headers);
    if (r == 0) {
        j = json_loadb(a.p != NULL ? a.p : "", a.size, JSON_REJECT_DUPLICATES, &e);
        if (status < 200 || status > 299) {
            r = refusal(status, j, err);
        } else if (j == NULL) {
            r = error_set(err, EREMOTEIO, "%s does not answer as a CAS does", c->base);
        }
    }
    if (a.p != NULL) {
        ct_wipe(a.p, a.size); /* answers may hold secrets */
        free(a.p);
    }
    if (r == 0 && ret != NULL) {
        *ret = j;
        return 0;
    }
    json_decref(j);
    return r;
}
