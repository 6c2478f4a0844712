/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cas/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "cas/provision.h"
#include "cas/self.h"
#include "cas/signatures.h"
#include "cas/tls.h"
#include "core/hex.h"

struct call {
    struct api *api;
    const struct cas_caller *who;
    const struct http_request *req;
    const char *body;
    const char *rest; /* what {name} stands for */
    struct api_answer *ret;
};

void api_answer_clear(struct api_answer *a)
{
    cas_bytes_clear(&a->body);
}

/* Takes the object over. */
static void answer_json(struct api_answer *ret, int status, json_t *j)
{
    char *text = j != NULL ? json_dumps(j, JSON_COMPACT) : NULL;

    json_decref(j);
    cas_bytes_clear(&ret->body);
    ret->status = text != NULL ? status : 500;
    ret->type = "application/json";
    if (text != NULL) {
        ret->body = (struct cas_bytes){.p = (uint8_t *)text, .size = strlen(text)};
    }
}

void api_error(struct api_answer *ret, int status, const char *text)
{
    answer_json(ret, status, json_pack("{s:[s]}", "msg", text));
}

static int status_of(int r, const struct cas_caller *who)
{
    switch (-r) {
    case EINVAL: return 400;
    case EACCES: return who->policy.has_key ? 403 : 401;
    case ENOENT: return 404;
    case EEXIST:
    case ESTALE:
    case ENOTEMPTY: return 409;
    case EFBIG: return 413;
    default: return 500;
    }
}

/* The server's own trouble is not the client's business. */
static void answer_failure(const struct call *c, int r, const struct error *err)
{
    const int status = status_of(r, c->who);

    if (status == 500) {
        (void)snprintf(c->ret->trouble, sizeof(c->ret->trouble), "%s", error_text(err));
        api_error(c->ret, status,
                  "CAS cannot do this now; its operator finds the reason in its log");
        return;
    }
    api_error(c->ret, status, error_text(err));
}

static json_t *diag_texts(const struct pol_diags *d, bool warnings)
{
    json_t *list = json_array();

    for (size_t i = 0; i < d->count; i++) {
        const struct pol_diag *item = &d->items[i];
        char text[POL_DIAG_TEXT_MAX + 64];

        if (item->warning != warnings) {
            continue;
        }
        (void)snprintf(text, sizeof(text), "line %u column %u: %s", item->mark.line, item->mark.col,
                       item->text != NULL ? item->text : "");
        (void)json_array_append_new(list, json_string(text));
    }
    return list;
}

static json_t *hex_json(const uint8_t hash[static POL_HASH_SIZE])
{
    char hex[2 * POL_HASH_SIZE + 1];

    hex_encode(hex, hash, POL_HASH_SIZE);
    return json_string(hex);
}

/* ?hash= of the request. False: it is there and wrong, and the answer says so. */
static bool query_hash(const struct call *c, uint8_t *buf, const uint8_t **ret)
{
    const char *text = http_query(c->req, "hash");

    *ret = NULL;
    if (text == NULL) {
        return true;
    }
    if (hex_decode(buf, POL_HASH_SIZE, text, strlen(text)) < 0) {
        api_error(c->ret, 400, "hash must be 64 hex digits");
        return false;
    }
    *ret = buf;
    return true;
}

/* ---- about CAS ------------------------------------------------------------------------------ */

static void api_version(const struct call *c)
{
    answer_json(c->ret, 200,
                json_pack("{s:s, s:s, s:s, s:i}", "name", "nacre", "version", c->api->version,
                          "session_language", "0.3.12", "api", 1));
}

static void api_live(const struct call *c)
{
    answer_json(c->ret, 200, json_pack("{s:s}", "status", "ok"));
}

static void api_ready(const struct call *c)
{
    _cleanup_error_ struct error *err = NULL;
    struct cas_stats stats;

    if (cas_stats(c->api->cas, &stats, &err) < 0) {
        (void)snprintf(c->ret->trouble, sizeof(c->ret->trouble), "%s", error_text(err));
        answer_json(c->ret, 503, json_pack("{s:s}", "status", "the store does not answer"));
        return;
    }
    api_live(c);
}

static void api_audit(const struct call *c)
{
    uint64_t seq;
    uint8_t hash[AUDIT_HASH_SIZE];

    cas_audit_last(c->api->cas, &seq, hash);
    answer_json(c->ret, 200,
                json_pack("{s:I, s:o}", "seq", (json_int_t)seq, "hash", hex_json(hash)));
}

static void api_openapi_(const struct call *c)
{
    answer_json(c->ret, 200, api_openapi(c->api->version));
}

static uint64_t load(const uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}

/* One metric with a value for each of the two doors. */
static void print_door(FILE *f, const char *type, const char *name, const char *help, uint64_t api,
                       uint64_t provisioning)
{
    fprintf(f,
            "# HELP nacre_cas_%s %s\n# TYPE nacre_cas_%s %s\n"
            "nacre_cas_%s{door=\"api\"} %llu\nnacre_cas_%s{door=\"provisioning\"} %llu\n",
            name, help, name, type, name, (unsigned long long)api, name,
            (unsigned long long)provisioning);
}

static void print_doors(const struct api_counters *n, FILE *f)
{
    print_door(f, "counter", "connections_total", "TLS connections", load(&n->api_door.connections),
               load(&n->provision_door.connections));
    print_door(f, "gauge", "connections", "connections open now", load(&n->api_door.now),
               load(&n->provision_door.now));
    print_door(f, "counter", "connections_refused_total", "connections beyond the limits",
               load(&n->api_door.refused), load(&n->provision_door.refused));
}

static void print_provisioning(const struct api_counters *n, const struct cas_stats *s, FILE *f)
{
    uint64_t answers = 0;

    fprintf(f, "# HELP nacre_cas_provisioning_denied_total provisionings denied, by reason\n"
               "# TYPE nacre_cas_provisioning_denied_total counter\n");
    for (size_t i = 0; i < REFUSAL_COUNT; i++) {
        fprintf(f, "nacre_cas_provisioning_denied_total{reason=\"%s\"} %llu\n",
                refusal_name((enum refusal)i), (unsigned long long)s->refused[i]);
    }
    fprintf(f, "# HELP nacre_cas_provisioning_answers_total answers to provisioning by status\n"
               "# TYPE nacre_cas_provisioning_answers_total counter\n");
    for (size_t i = 2; i < ARRAY_COUNT(n->provision_answers); i++) {
        answers += load(&n->provision_answers[i]);
        fprintf(f, "nacre_cas_provisioning_answers_total{status=\"%zuxx\"} %llu\n", i,
                (unsigned long long)load(&n->provision_answers[i]));
    }
    fprintf(f,
            "# HELP nacre_cas_provisioning_seconds time to decide and answer\n"
            "# TYPE nacre_cas_provisioning_seconds summary\n"
            "nacre_cas_provisioning_seconds_sum %.6f\nnacre_cas_provisioning_seconds_count %llu\n",
            (double)load(&n->provision_micros) / 1e6, (unsigned long long)answers);
}

static void print_metrics(const struct api *api, const struct cas_stats *s, FILE *f)
{
    const struct api_counters *n = &api->counters;
    uint64_t requests = 0;

#define METRIC(type, name, help, value)                                           \
    fprintf(f,                                                                    \
            "# HELP nacre_cas_" name " " help "\n# TYPE nacre_cas_" name " " type \
            "\nnacre_cas_" name " %llu\n",                                        \
            (unsigned long long)(value))
    METRIC("gauge", "sessions", "sessions stored", s->sessions);
    METRIC("counter", "sessions_created_total", "sessions created", s->created);
    METRIC("counter", "sessions_updated_total", "sessions updated", s->updated);
    METRIC("counter", "sessions_deleted_total", "sessions deleted", s->deleted);
    METRIC("counter", "sessions_read_total", "sessions read", s->read);
    METRIC("counter", "values_read_total", "answers with values", s->values);
    METRIC("counter", "denied_total", "requests denied by an access policy", s->denied);
    METRIC("counter", "audit_lines_total", "lines of the audit log", s->audit_seq);
    METRIC("counter", "provisioned_total", "services provisioned", s->provisioned);
    METRIC("counter", "handshakes_failed_total", "TLS handshakes that failed",
           load(&n->handshakes_failed));
    METRIC("counter", "rate_limited_total", "requests beyond the rate limit",
           load(&n->rate_limited));
#undef METRIC
    print_doors(n, f);
    print_provisioning(n, s, f);
    fprintf(f, "# HELP nacre_cas_requests_total requests by status\n"
               "# TYPE nacre_cas_requests_total counter\n");
    for (size_t i = 2; i < ARRAY_COUNT(n->requests); i++) {
        fprintf(f, "nacre_cas_requests_total{status=\"%zuxx\"} %llu\n", i,
                (unsigned long long)load(&n->requests[i]));
        requests += load(&n->requests[i]);
    }
    fprintf(f,
            "# HELP nacre_cas_request_seconds time to answer\n"
            "# TYPE nacre_cas_request_seconds summary\n"
            "nacre_cas_request_seconds_sum %.6f\nnacre_cas_request_seconds_count %llu\n",
            (double)load(&n->request_micros) / 1e6, (unsigned long long)requests);
}

static void api_metrics(const struct call *c)
{
    _cleanup_error_ struct error *err = NULL;
    struct cas_stats stats;
    char *text = NULL;
    size_t size;
    FILE *f;
    int r = cas_stats(c->api->cas, &stats, &err);

    if (r < 0) {
        answer_failure(c, r, err);
        return;
    }
    f = open_memstream(&text, &size);
    if (f == NULL) {
        api_error(c->ret, 500, "out of memory");
        return;
    }
    print_metrics(c->api, &stats, f);
    if (fclose(f) != 0) {
        free(text);
        api_error(c->ret, 500, "out of memory");
        return;
    }
    c->ret->status = 200;
    c->ret->type = "text/plain; version=0.0.4";
    c->ret->body = (struct cas_bytes){.p = (uint8_t *)text, .size = size};
}

/* ---- what CAS is ---------------------------------------------------------------------------- */

static void api_status(const struct call *c)
{
    const struct api *api = c->api;
    _cleanup_error_ struct error *err = NULL;
    struct evidence_summary sum;
    struct cas_stats stats;
    char until[32] = "";
    int r = cas_stats(api->cas, &stats, &err);

    if (r < 0) {
        answer_failure(c, r, err);
        return;
    }
    evidence_summary(api->evidence, &sum);
    if (sum.sets > 0) {
        att_time_format(sum.valid_until, until);
    }
    answer_json(c->ret, 200,
                json_pack("{s:s, s:s, s:o, s:I, s:I, s:I, s:b, s:b, s:{s:i, s:i, s:s?}}", "status",
                          "ok", "version", api->version, "key", hex_json(api->key_id), "sessions",
                          (json_int_t)stats.sessions, "provisioned", (json_int_t)stats.provisioned,
                          "uptime", (json_int_t)((tls_now_ms() - api->started_ms) / 1000), "tee",
                          api->tee, "provisioning", api->provisioning, "collateral", "hardware",
                          (int)sum.hardware, "software", (int)(sum.sets - sum.hardware),
                          "valid_until", sum.sets > 0 ? until : NULL));
}

static void api_attest(const struct call *c)
{
    const char *text = http_query(c->req, "nonce");
    _cleanup_error_ struct error *err = NULL;
    _cleanup_bytes_ struct cas_bytes quote = {0};
    _cleanup_free_ char *encoded = NULL;
    uint8_t nonce[SELF_NONCE];
    uint8_t data[64];
    json_t *j;
    int r;

    if (text == NULL || hex_decode(nonce, sizeof(nonce), text, strlen(text)) < 0) {
        api_error(c->ret, 400, "give ?nonce= with 64 hex digits of your own choice");
        return;
    }
    self_report_data(c->api->key_id, nonce, data);
    (void)pthread_mutex_lock(&c->api->self_lock);
    r = self_quote(c->api->attestation_dir, data, &quote, &err);
    (void)pthread_mutex_unlock(&c->api->self_lock);
    if (r < 0) {
        answer_failure(c, -EIO, err);
        return;
    }
    j = json_pack("{s:s, s:o, s:o}", "type", r == 1 ? "sgx-dcap" : "none", "key",
                  hex_json(c->api->key_id), "nonce", hex_json(nonce));
    if (r == 1) {
        encoded = calloc(1, BASE64_SIZE(quote.size) + 1);
        if (encoded != NULL) {
            base64_encode(encoded, quote.p, quote.size);
        }
        (void)json_object_set_new(j, "quote", json_string(encoded));
    }
    answer_json(c->ret, 200, j);
}

/* ---- sessions ------------------------------------------------------------------------------- */

static void api_put(const struct call *c)
{
    const char *verify = http_query(c->req, "verify");
    const bool dry = verify != NULL && strcmp(verify, "true") == 0;
    _cleanup_diags_ struct pol_diags d = {0};
    _cleanup_error_ struct error *err = NULL;
    struct cas_put_result result;
    int r = (dry ? cas_session_verify : cas_session_put)(c->api->cas, c->who, c->body,
                                                         c->req->content_length, &d, &result, &err);

    if (r == -EINVAL && d.errors > 0) {
        answer_json(c->ret, 400, json_pack("{s:o}", "msg", diag_texts(&d, /*warnings=*/false)));
        return;
    }
    if (r < 0) {
        answer_failure(c, r, err);
        return;
    }
    answer_json(c->ret, result.created && !dry ? 201 : 200,
                json_pack("{s:s, s:o, s:b, s:o}", "name", result.name, "hash",
                          hex_json(result.hash), "created", result.created, "warnings",
                          diag_texts(&d, /*warnings=*/true)));
}

static void api_list(const struct call *c)
{
    const char *namespace = http_query(c->req, "namespace");
    _cleanup_error_ struct error *err = NULL;
    json_t *j = NULL;
    int r = cas_session_list(c->api->cas, c->who, namespace != NULL ? namespace : "/",
                             http_query(c->req, "after"), &j, &err);

    if (r < 0) {
        answer_failure(c, r, err);
        return;
    }
    answer_json(c->ret, 200, j);
}

static void api_read(const struct call *c)
{
    _cleanup_read_ struct cas_read_result result = {0};
    _cleanup_error_ struct error *err = NULL;
    uint8_t buf[POL_HASH_SIZE];
    const uint8_t *hash;
    int r;

    if (!query_hash(c, buf, &hash)) {
        return;
    }
    r = cas_session_read(c->api->cas, c->who, c->rest, hash, &result, &err);
    if (r < 0) {
        answer_failure(c, r, err);
        return;
    }
    answer_json(c->ret, 200,
                json_pack("{s:s, s:s, s:o, s:I}", "name", c->rest, "session", result.document,
                          "hash", hex_json(result.hash), "created", (json_int_t)result.created));
}

static void api_delete(const struct call *c)
{
    _cleanup_error_ struct error *err = NULL;
    uint8_t buf[POL_HASH_SIZE];
    const uint8_t *hash;
    int r;

    if (!query_hash(c, buf, &hash)) {
        return;
    }
    r = cas_session_delete(c->api->cas, c->who, c->rest, hash, &err);
    if (r < 0) {
        answer_failure(c, r, err);
        return;
    }
    answer_json(c->ret, 200, json_pack("{s:s, s:b}", "name", c->rest, "deleted", 1));
}

/* session=NAME[,secret=SECRET] */
static void api_values(const struct call *c)
{
    static const char prefix[] = "session=";
    static const char middle[] = ",secret=";
    _cleanup_error_ struct error *err = NULL;
    _cleanup_free_ char *name = NULL;
    const char *secret;
    json_t *j = NULL;
    int r;

    if (strncmp(c->rest, prefix, strlen(prefix)) != 0) {
        api_error(c->ret, 400, "ask for /v1/values/session=NAME or session=NAME,secret=SECRET");
        return;
    }
    name = strdup(c->rest + strlen(prefix));
    if (name == NULL) {
        api_error(c->ret, 500, "out of memory");
        return;
    }
    secret = strstr(name, middle);
    if (secret != NULL) {
        name[secret - name] = '\0';
        secret += strlen(middle);
    }
    r = cas_values(c->api->cas, c->who, name, secret, &j, &err);
    if (r < 0) {
        answer_failure(c, r, err);
        return;
    }
    answer_json(c->ret, 200, j);
}

/* ---- dispatch ------------------------------------------------------------------------------- */

static const struct {
    const char *method;
    const char *path;
    void (*handle)(const struct call *c);
} routes[] = {
#define api_openapi                               api_openapi_
#define X(method, path, handler, answer, summary) {#method, path, api_##handler},
#include "cas/routes.tbl.h"
#undef X
#undef api_openapi
};

/* Does the path match, and what does {name} stand for? */
static bool path_matches(const char *pattern, const char *path, const char **ret_rest)
{
    const char *brace = strchr(pattern, '{');

    if (brace == NULL) {
        return strcmp(pattern, path) == 0;
    }
    *ret_rest = path + (brace - pattern);
    return strncmp(pattern, path, (size_t)(brace - pattern)) == 0 && **ret_rest != '\0';
}

/* Adds who signed the request. False: a signature is not one, and the answer says so. */
static bool check_signatures(const struct call *c, struct pol_signer *signers, size_t *ret_count)
{
    const struct signed_request signed_req = {
        .cas_key = c->api->key_id,
        .method = c->req->method,
        .path = c->req->path,
        .query = c->req->query,
        .query_count = c->req->query_count,
        .body = c->body,
        .size = c->req->content_length,
    };

    *ret_count = 0;
    for (size_t i = 0; i < c->req->signature_count; i++) {
        _cleanup_error_ struct error *err = NULL;
        size_t count = 0;
        int r = signature_verify(&signed_req, c->req->signature_text + c->req->signatures[i],
                                 (int64_t)time(NULL), signers + *ret_count, &count, &err);

        if (r < 0) {
            (void)cas_note(c->api->cas, "denied",
                           json_pack("{s:s, s:s, s:s}", "what", "signature", "peer", c->who->peer,
                                     "reason", error_text(err)),
                           NULL);
            api_error(c->ret, r == -EINVAL ? 400 : r == -ENOMEM ? 500 : 403, error_text(err));
            return false;
        }
        *ret_count += count;
    }
    return true;
}

static void handle(const struct call *c, void (*work)(const struct call *c))
{
    struct pol_signer signers[2 * HTTP_SIGNATURES_MAX];
    struct cas_caller who = *c->who;
    struct call signed_call = *c;

    if (!check_signatures(c, signers, &who.policy.signer_count)) {
        return;
    }
    who.policy.signers = signers;
    signed_call.who = &who;
    work(&signed_call);
}

void api_handle(struct api *api, const struct cas_caller *who, const struct http_request *req,
                const char *body, struct api_answer *ret)
{
    bool path_known = false;

    *ret = (struct api_answer){0};
    for (size_t i = 0; i < ARRAY_COUNT(routes); i++) {
        struct call c = {.api = api, .who = who, .req = req, .body = body, .ret = ret};

        if (!path_matches(routes[i].path, req->path, &c.rest)) {
            continue;
        }
        path_known = true;
        if (strcmp(routes[i].method, req->method) == 0) {
            handle(&c, routes[i].handle);
            return;
        }
    }
    api_error(ret, path_known ? 405 : 404,
              path_known ? "this method is not for this path; see /v1/openapi.json"
                         : "there is nothing here; see /v1/openapi.json");
}
