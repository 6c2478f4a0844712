/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * A CAS of its own under load, and what that costs it.
 *
 *   provision_load NACRE DIR [OPTIONS]    prints one line of JSON; DIR must not exist, and is left
 *     --clients N      at once (default 16)
 *     --count N        requests (default 1000)
 *     --sessions N     stored (default 1)
 *     --spread N       of these, asked for in turn (default 1)
 *     --soak SECONDS   instead of a count: fails when memory or descriptors of CAS still grow in
 * the second half
 *
 * The quotes are made here, in another process: cpu_us is what the server alone used.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/args.h"
#include "base/fs.h"
#include "base/keyid.h"
#include "cas/keys.h"
#include "core/hex.h"
#include "prov.h"
#include "softsgx/root.h"

#define MRENCLAVE "1111111111111111111111111111111111111111111111111111111111111111"

struct options {
    const char *nacre;
    const char *dir;
    unsigned clients;
    unsigned count;
    unsigned sessions;
    unsigned spread;
    unsigned soak;
};

struct server {
    pid_t pid;
    FILE *log;
    uint16_t port;
};

struct usage {
    double cpu_us;
    unsigned long rss_kib;
    unsigned descriptors;
};

/* ---- sessions ------------------------------------------------------------------------------- */

static void root_id(char ret[static 65])
{
    _cleanup_soft_root_ struct soft_root *root = NULL;
    _cleanup_error_ struct error *err = NULL;
    _cleanup_free_ uint8_t *pem = NULL;
    _cleanup_free_ char *path = NULL;
    struct soft_root_info info;
    struct keyid id;
    size_t size;

    if (soft_root_open(&root, &err) < 0) {
        prov_fail(error_text(err));
    }
    soft_root_info(root, &info);
    if (asprintf(&path, "%s/root.pem", info.dir) < 0 ||
        fs_read_file(path, KEYID_PEM_MAX, &pem, &size, &err) < 0 ||
        keyid_from_certificate_pem((char *)pem, size, &id) < 0) {
        prov_fail("the software root has no certificate");
    }
    hex_encode(ret, id.spki_hash, sizeof(id.spki_hash));
}

/* Straight into the store, which is faster than over the network and the same afterwards. */
static void fill(struct cas *cas, const struct options *o)
{
    const struct cas_caller who = {.policy.has_key = true, .peer = "load"};
    char root[65];

    root_id(root);
    for (unsigned i = 0; i < o->sessions; i++) {
        _cleanup_diags_ struct pol_diags d = {0};
        _cleanup_error_ struct error *err = NULL;
        _cleanup_free_ char *text = NULL;
        struct cas_put_result result;

        if (asprintf(&text,
                     "{name: load-%u, version: '0.3', security: {attestation: {mode: software, "
                     "software_roots: [%s]}}, secrets: [{name: pw, kind: ascii}, {name: key, kind: "
                     "binary, size: 32}], services: [{name: app, command: '/app --pw "
                     "$$SCONE::pw$$', mrenclaves: [" MRENCLAVE
                     "], fspf_key: $$SCONE::key$$, sealed_root: " MRENCLAVE
                     ", environment: {TOKEN: $$SCONE::pw$$}}]}",
                     i, root) < 0) {
            text = NULL;
            prov_fail("out of memory");
        }
        if (cas_session_put(cas, &who, text, strlen(text), &d, &result, &err) < 0) {
            prov_fail(d.count > 0 ? d.items[0].text : error_text(err));
        }
    }
}

static void make_sessions(const struct options *o)
{
    _cleanup_home_ struct cas_home home = {0};
    _cleanup_error_ struct error *err = NULL;
    _cleanup_cas_ struct cas *cas = NULL;
    _cleanup_free_ char *db = NULL;
    _cleanup_free_ char *log = NULL;
    struct cas_options co = {0};

    if (cas_home_open(o->dir, 0, NULL, &home, &err) < 0) {
        prov_fail(error_text(err));
    }
    db = cas_home_path(&home, "cas.db");
    log = cas_home_path(&home, "audit.log");
    if (db == NULL || log == NULL || store_sqlite_open(db, home.master, &co.store, &err) < 0 ||
        audit_open(log, &co.audit, &err) < 0 || cas_new(&co, &cas, &err) < 0) {
        prov_fail(error_text(err));
    }
    fill(cas, o);
}

/* ---- the server ----------------------------------------------------------------------------- */

/* Whatever goes wrong here, the server does not stay behind. */
static pid_t g_running;

static void end_server(void)
{
    if (g_running > 0) {
        (void)kill(g_running, SIGKILL);
    }
}

static void start(const struct options *o, struct server *ret)
{
    const char *const argv[] = {o->nacre,      "cas",
                                "serve",       "--dir",
                                o->dir,        "--listen",
                                "127.0.0.1:0", "--provision-listen",
                                "127.0.0.1:0", "--software-root",
                                "local",       "--max-provision-rate",
                                "1000000",     NULL};
    static const char mark[] = "provisioning on 127.0.0.1:";
    posix_spawn_file_actions_t actions;
    char line[512] = "";
    uint64_t port = 0;
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0 || posix_spawn_file_actions_init(&actions) != 0 ||
        posix_spawn_file_actions_adddup2(&actions, fds[1], STDERR_FILENO) != 0 ||
        posix_spawn(&ret->pid, o->nacre, &actions, NULL, (char *const *)(uintptr_t)argv, environ) !=
            0) {
        prov_fail("cannot start nacre");
    }
    g_running = ret->pid;
    (void)atexit(end_server);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(fds[1]);
    ret->log = fdopen(fds[0], "r");
    while (ret->log != NULL && strstr(line, "--cacert") == NULL) {
        if (fgets(line, sizeof(line), ret->log) == NULL) {
            prov_fail("CAS did not start");
        }
        if (strstr(line, mark) != NULL) {
            char *text = strstr(line, mark) + strlen(mark);

            text[strcspn(text, "\n")] = '\0';
            (void)args_parse_u64(text, &port);
        }
    }
    ret->port = (uint16_t)port;
}

static void stop(struct server *s)
{
    int status;

    g_running = 0;
    (void)kill(s->pid, SIGTERM);
    if (waitpid(s->pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        prov_fail("CAS did not end well");
    }
    (void)fclose(s->log);
}

static unsigned count_descriptors(pid_t pid)
{
    char path[64];
    unsigned count = 0;

    for (int fd = 0; fd < 4096; fd++) {
        (void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
        count += readlink(path, (char[2]){0}, 1) >= 0;
    }
    return count;
}

static void measure(const struct server *s, struct usage *ret)
{
    const double tick_us = 1e6 / (double)sysconf(_SC_CLK_TCK);
    _cleanup_fclose_ FILE *stat = NULL;
    _cleanup_fclose_ FILE *status = NULL;
    unsigned long user = 0;
    unsigned long system = 0;
    char path[64];
    char line[256];

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)s->pid);
    stat = fopen(path, "re");
    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)s->pid);
    status = fopen(path, "re");
    if (stat == NULL || status == NULL ||
        fscanf(stat, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &system) != 2) {
        prov_fail("CAS has ended");
    }
    *ret = (struct usage){.cpu_us = (double)(user + system) * tick_us};
    while (fgets(line, sizeof(line), status) != NULL) {
        (void)sscanf(line, "VmRSS: %lu kB", &ret->rss_kib);
    }
    ret->descriptors = count_descriptors(s->pid);
}

/* ---- work ----------------------------------------------------------------------------------- */

static void load_once(const struct options *o, const struct prov *p, const struct server *s)
{
    struct prov_load warm;
    struct prov_load l;
    struct usage before;
    struct usage after;

    prov_load(p, o->clients, o->clients * 4, 0, &warm);
    measure(s, &before);
    prov_load(p, o->clients, o->count, 0, &l);
    measure(s, &after);
    printf("{\"clients\": %u, \"sessions\": %u, \"requests\": %u, \"provisioned\": %u, "
           "\"per_second\": %.1f, \"p50_us\": %.0f, \"p99_us\": %.0f, \"cpu_us\": %.1f, "
           "\"rss_kib\": %lu}\n",
           o->clients, o->sessions, l.requests, l.provisioned, l.per_second, l.p50_us, l.p99_us,
           (after.cpu_us - before.cpu_us) / l.requests, after.rss_kib);
    if (l.provisioned != l.requests) {
        prov_fail("some were not provisioned");
    }
}

/* Memory may settle in the first half (caches, arenas of threads); after that it must stay. */
static void soak(const struct options *o, const struct prov *p, const struct server *s)
{
    const unsigned half = o->soak / 2;
    const unsigned many = 4000 * half + 1000;
    struct prov_load l;
    struct usage mid;
    struct usage end;
    unsigned requests;

    prov_load(p, o->clients, many, half, &l);
    requests = l.requests;
    measure(s, &mid);
    prov_load(p, o->clients, many, half, &l);
    measure(s, &end);
    printf("{\"seconds\": %u, \"requests\": %u, \"rss_kib_half\": %lu, \"rss_kib_end\": %lu, "
           "\"descriptors_half\": %u, \"descriptors_end\": %u}\n",
           o->soak, requests + l.requests, mid.rss_kib, end.rss_kib, mid.descriptors,
           end.descriptors);
    if (l.provisioned != l.requests) {
        prov_fail("some were not provisioned");
    }
    if (end.rss_kib > mid.rss_kib + mid.rss_kib / 10 + 1024 ||
        end.descriptors > mid.descriptors + 2) {
        prov_fail("CAS grows under load");
    }
}

int main(int argc, char **argv)
{
    struct options o = {.clients = 16, .count = 1000, .sessions = 1, .spread = 1};
    const struct {
        const char *name;
        unsigned *value;
    } numbers[] = {{"--clients", &o.clients},
                   {"--count", &o.count},
                   {"--sessions", &o.sessions},
                   {"--spread", &o.spread},
                   {"--soak", &o.soak}};
    struct server s = {0};
    struct prov p;

    if (argc < 3) {
        prov_fail("usage: provision_load NACRE DIR [OPTIONS]");
    }
    o.nacre = argv[1];
    o.dir = argv[2];
    for (int i = 3; i + 1 < argc; i += 2) {
        for (size_t n = 0; n < ARRAY_COUNT(numbers); n++) {
            uint64_t value;

            if (strcmp(argv[i], numbers[n].name) == 0 && args_parse_u64(argv[i + 1], &value) == 0 &&
                value > 0 && value < 10000000) {
                *numbers[n].value = (unsigned)value;
            }
        }
    }
    prov_init(&p);
    make_sessions(&o);
    start(&o, &s);
    p.port = s.port;
    p.session = "load-%";
    p.service = "app";
    p.sessions = o.spread;
    if (o.soak > 0) {
        soak(&o, &p, &s);
    } else {
        load_once(&o, &p, &s);
    }
    stop(&s);
    return 0;
}
