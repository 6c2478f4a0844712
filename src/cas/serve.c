/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Starting a CAS, and stopping it. */

#include "cas/cas.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "attest/verifier.h"
#include "base/alloc.h"
#include "cas/self.h"
#include "cas/server_internal.h"
#include "policy/text.h"

#define STOP_MS    5000u /* for requests under way */
#define REFRESH_MS 2000  /* between two looks at the collateral */

#define RENEW_SECONDS (24 * 3600)             /* collateral that was fetched is fetched again */
#define RENEWAL_MS    (uint64_t)(3600 * 1000) /* between two looks for such */

static void say(const char *text)
{
    fprintf(stderr, "nacre cas: %s\n", text);
    (void)fflush(stderr);
}

/* ---- collateral ----------------------------------------------------------------------------- */

static void describe_collateral(struct server *s, char *ret, size_t size)
{
    struct evidence_summary sum;
    char until[32];

    evidence_summary(s->api.evidence, &sum);
    if (sum.sets == 0) {
        (void)snprintf(ret, size,
                       "no collateral: only sessions with mode: none can be provisioned "
                       "(--collateral, --software-root)");
        return;
    }
    att_time_format(sum.valid_until, until);
    (void)snprintf(ret, size,
                   "collateral: %zu set%s below Intel's root, %zu below software roots, "
                   "valid until %s",
                   sum.hardware, sum.hardware == 1 ? "" : "s", sum.sets - sum.hardware, until);
}

static void reload_collateral(struct server *s, bool asked)
{
    _cleanup_error_ struct error *err = NULL;
    char text[256];
    int r =
        asked ? evidence_reload(s->api.evidence, &err) : evidence_refresh(s->api.evidence, &err);

    if (r < 0) {
        fprintf(stderr, "nacre cas: collateral not reloaded, what was read before stays: %s\n",
                error_text(err));
        (void)cas_note(s->api.cas, "collateral.failed",
                       json_pack("{s:s}", "reason", error_text(err)), NULL);
        return;
    }
    if (asked || r == 1) {
        describe_collateral(s, text, sizeof(text));
        say(text);
        (void)cas_note(s->api.cas, "collateral.reloaded", json_pack("{s:s}", "detail", text), NULL);
    }
}

/* Sets that were fetched are fetched again every day, long before they end. */
static void renew_collateral(struct server *s)
{
    _cleanup_error_ struct error *err = NULL;

    if (pccs_renew(s->pccs, (int64_t)time(NULL), RENEW_SECONDS, &err) < 0 || err != NULL) {
        fprintf(stderr, "nacre cas: collateral not renewed, the old one stays: %s\n",
                error_text(err));
    }
}

/* In a thread of its own, for a service that does not answer must not keep anybody waiting. */
static void *keep_collateral(void *arg)
{
    struct server *s = arg;
    struct pollfd stop = {.fd = s->keeper_stop, .events = POLLIN};
    uint64_t renewal = 0; /* the first at once */

    while (poll(&stop, 1, REFRESH_MS) == 0) {
        if (s->pccs != NULL && tls_now_ms() >= renewal) {
            renew_collateral(s);
            renewal = tls_now_ms() + RENEWAL_MS;
        }
        reload_collateral(s, /*asked=*/false);
    }
    return NULL;
}

static int start_keeper(struct server *s, struct error **err)
{
    s->keeper_stop = eventfd(0, EFD_CLOEXEC);
    if (s->keeper_stop < 0 || pthread_create(&s->keeper, NULL, keep_collateral, s) != 0) {
        return error_set(err, EAGAIN, "cannot start a thread");
    }
    return 0;
}

static void stop_keeper(struct server *s)
{
    (void)eventfd_write(s->keeper_stop, 1);
    (void)pthread_join(s->keeper, NULL);
    (void)close(s->keeper_stop);
}

static int open_collateral(struct server *s, const struct cas_serve_options *o, struct error **err)
{
    struct evidence_options eo = {
        .dir_count = o->collateral_count,
        .dirs = o->collateral,
        .software_count = o->software_count,
        .software_dirs = o->software,
    };
    int r = 0;

    if (o->pccs_url != NULL) {
        s->cache_dir = cas_home_path(&s->home, "collateral");
        r = s->cache_dir != NULL ? pccs_new(o->pccs_url, o->pccs_ca, s->cache_dir, &s->pccs, err)
                                 : error_set_errno(err, ENOMEM, "starting");
        eo.cache_dir = s->cache_dir;
        eo.fetch = pccs_fetch;
        eo.fetch_ctx = s->pccs;
    }
    return r == 0 ? evidence_new(&eo, &s->api.evidence, err) : r;
}

/* ---- start ---------------------------------------------------------------------------------- */

static int make_services(struct server *s, struct error **err)
{
    _cleanup_free_ char *db = cas_home_path(&s->home, "cas.db");
    _cleanup_free_ char *log = cas_home_path(&s->home, "audit.log");
    _cleanup_store_ struct store *store = NULL;
    _cleanup_audit_ struct audit *audit = NULL;
    struct cas_options o = {0};
    int r;

    if (db == NULL || log == NULL) {
        return error_set_errno(err, ENOMEM, "starting");
    }
    r = store_sqlite_open(db, s->home.master, &store, err);
    if (r == 0) {
        r = audit_open(log, &audit, err);
    }
    if (r < 0) {
        return r;
    }
    o.store = store;
    o.audit = audit;
    r = cas_new(&o, &s->api.cas, err);
    if (r == 0) {
        store = NULL; /* taken over */
        audit = NULL;
        r = tls_context_new(&s->home, TLS_FOR_API, &s->tls, err);
    }
    if (r == 0) {
        r = tls_context_new(&s->home, TLS_FOR_PROVISIONING, &s->provision_tls, err);
    }
    return r;
}

/* Is there a TEE that says so? One that is there and does not work is an error now rather than a
 * client's riddle later. */
static int look_at_self(struct server *s, struct error **err)
{
    const uint8_t zeros[64] = {0};
    _cleanup_bytes_ struct cas_bytes quote = {0};
    int r = self_quote(s->api.attestation_dir, zeros, &quote, err);

    if (r < 0) {
        (void)error_wrap(err, "this CAS runs in a TEE that gives no evidence");
        return r;
    }
    s->api.tee = r == 1;
    return 0;
}

static int open_doors(struct server *s, const struct cas_serve_options *o, struct error **err)
{
    struct listener_options lo = {
        .address = o->listen,
        .option = "--listen",
        .max_connections = o->max_connections != 0 ? o->max_connections : 512,
        .limits =
            {
                .connections = o->max_connections_per_peer != 0 ? o->max_connections_per_peer : 256,
                .rate = o->max_rate != 0 ? o->max_rate : 2000,
            },
        .serve = server_serve_api,
        .ctx = s,
        .counters = &s->api.counters.api_door,
    };
    int r = listener_open(&lo, &s->listener, err);

    if (r < 0 || strcmp(o->provision_listen, "off") == 0) {
        return r;
    }
    lo.address = o->provision_listen;
    lo.option = "--provision-listen";
    lo.serve = server_serve_provisioning;
    /* Everybody may ask there, and each answer is a verification and a line on the disk. */
    lo.limits.rate = o->max_provision_rate != 0 ? o->max_provision_rate : 200;
    lo.counters = &s->api.counters.provision_door;
    return listener_open(&lo, &s->provisioning, err);
}

static void say_hello(struct server *s)
{
    char address[64];
    char key[KEY_ID_TEXT_MAX];
    char text[256];

    listener_name(s->listener, address);
    key_id_print(KEY_ID_VERSION_KEY, s->home.key_id, key);
    fprintf(stderr, "nacre cas: serving HTTPS on %s, from %s\n", address, s->home.dir);
    if (s->provisioning != NULL) {
        listener_name(s->provisioning, address);
        fprintf(stderr, "nacre cas: provisioning on %s\n", address);
    }
    describe_collateral(s, text, sizeof(text));
    fprintf(stderr,
            "nacre cas: %s\n"
            "nacre cas: %s\n"
            "nacre cas: key to pin: %s\n"
            "nacre cas: certificate for --cacert: %s\n",
            text,
            s->api.tee ? "runs in a TEE: 'nacre cas attest' shows clients which"
                       : "runs in no TEE: whoever is root on this machine can read every secret",
            key, s->home.cert_path);
    (void)fflush(stderr);
}

static int block_signals(int *ret_fd, struct error **err)
{
    sigset_t set;

    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0) {
        return error_set(err, EIO, "cannot block signals");
    }
    *ret_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return *ret_fd < 0 ? error_set_errno(err, errno, "cannot wait for signals") : 0;
}

/* ---- life ----------------------------------------------------------------------------------- */

/* True when the signal says stop. */
static bool take_signal(struct server *s, int signals)
{
    struct signalfd_siginfo info;

    if (read(signals, &info, sizeof(info)) != (ssize_t)sizeof(info)) {
        return false;
    }
    if (info.ssi_signo != SIGHUP) {
        return true;
    }
    reload_collateral(s, /*asked=*/true);
    return false;
}

static void loop(struct server *s, int signals)
{
    struct pollfd fds[3] = {
        {.fd = signals, .events = POLLIN},
        {.fd = listener_fd(s->listener), .events = POLLIN},
        {.fd = s->provisioning != NULL ? listener_fd(s->provisioning) : -1, .events = POLLIN},
    };

    for (;;) {
        const int n = poll(fds, ARRAY_COUNT(fds), -1);

        if (n > 0 && fds[0].revents != 0 && take_signal(s, signals)) {
            return;
        }
        if (n > 0 && (fds[1].revents & POLLIN) != 0) {
            listener_accept(s->listener);
        }
        if (n > 0 && (fds[2].revents & POLLIN) != 0) {
            listener_accept(s->provisioning);
        }
    }
}

/* Lets requests under way finish. Returns false when some did not: then their threads still use the
 * server, and it must not be taken apart. */
static bool stop(struct server *s)
{
    const uint64_t deadline = tls_now_ms() + STOP_MS;
    bool ended;

    (void)cas_note(s->api.cas, "cas.stop", NULL, NULL);
    ended = s->provisioning == NULL || listener_stop(s->provisioning, deadline);
    return listener_stop(s->listener, deadline) && ended;
}

static int serve(struct server *s, const struct cas_serve_options *o, struct error **err)
{
    _cleanup_close_ int signals = -1;
    int r = cas_home_open(o->dir, o->name_count, o->names, &s->home, err);

    if (r == 0) {
        r = open_collateral(s, o, err);
    }
    if (r == 0) {
        r = make_services(s, err);
    }
    if (r == 0) {
        r = look_at_self(s, err);
    }
    if (r == 0) {
        r = open_doors(s, o, err);
    }
    if (r == 0) {
        r = block_signals(&signals, err);
    }
    if (r == 0) {
        r = start_keeper(s, err);
    }
    if (r < 0) {
        return r;
    }
    r = cas_note(s->api.cas, "cas.start", json_pack("{s:s}", "version", o->version), err);
    if (r < 0) {
        stop_keeper(s);
        return r;
    }
    memcpy(s->api.key_id, s->home.key_id, sizeof(s->api.key_id));
    s->api.provisioning = s->provisioning != NULL;
    say_hello(s);
    loop(s, signals);
    stop_keeper(s);
    if (!stop(s)) {
        say("stopping with connections still open");
        _exit(0); /* every acknowledged write is on the disk */
    }
    return 0;
}

int cas_serve(const struct cas_serve_options *o, struct error **err)
{
    struct server s = {
        .api =
            {
                .version = o->version,
                .attestation_dir = o->attestation_dir != NULL ? o->attestation_dir : SELF_DIR,
                .self_lock = PTHREAD_MUTEX_INITIALIZER,
                .started_ms = tls_now_ms(),
            },
    };
    int r = serve(&s, o, err);

    listener_free(s.provisioning);
    listener_free(s.listener);
    cas_freep(&s.api.cas);
    evidence_freep(&s.api.evidence);
    tls_context_free(s.tls);
    tls_context_free(s.provision_tls);
    cas_home_clear(&s.home);
    (void)pccs_free(s.pccs);
    free(s.cache_dir);
    return r;
}
