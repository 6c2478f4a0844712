/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "image/skopeo.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "image/leftovers.h"

#define DOCKER     "docker-daemon:"
#define WORDS_MAX  16u
#define CERTS_HOME ".docker"

int skopeo_have(const char *reference, struct error **err)
{
    const char *path = getenv("PATH");

    for (const char *p = path == NULL ? "" : path; *p != '\0';
         p += strcspn(p, ":"), p += *p == ':') {
        char file[4096];

        (void)snprintf(file, sizeof(file), "%.*s/skopeo", (int)strcspn(p, ":"), p);
        if (access(file, X_OK) == 0) {
            return 0;
        }
    }
    return error_set(err, ENOENT,
                     "%s needs skopeo, which is not installed (apt-get install skopeo); or go by a "
                     "file: docker save and docker load, and docker-archive:FILE",
                     reference);
}

/* Where docker's client would look for the daemon. skopeo asks none of these variables. */
struct daemon {
    char *host;  /* NULL: where skopeo looks by itself */
    char *certs; /* directory of ca.pem, cert.pem and key.pem; NULL: none */
};

static void daemon_done(struct daemon *d)
{
    free(d->host);
    free(d->certs);
}

static int find_certs(struct daemon *d, struct error **err)
{
    const char *path = getenv("DOCKER_CERT_PATH");
    const char *home = getenv("HOME");

    if (path != NULL && *path != '\0') {
        d->certs = strdup(path);
    } else if (asprintf(&d->certs, "%s/" CERTS_HOME, home == NULL ? "" : home) < 0) {
        d->certs = NULL;
    }
    return d->certs == NULL ? error_set_errno(err, ENOMEM, "starting skopeo") : 0;
}

static int find_daemon(struct daemon *d, struct error **err)
{
    const char *host = getenv("DOCKER_HOST");
    const char *verify = getenv("DOCKER_TLS_VERIFY");
    const bool tls = verify != NULL && *verify != '\0';
    int r = 0;

    if (host == NULL || *host == '\0') {
        return 0;
    }
    if (strncmp(host, "ssh:", 4) == 0) {
        return error_set(err, ENOTSUP,
                         "DOCKER_HOST is %s, and skopeo does not go by ssh; use docker save and "
                         "docker load, and docker-archive:FILE",
                         host);
    }
    if (strncmp(host, "tcp://", 6) == 0 && !tls) { /* skopeo takes tcp for TLS */
        if (asprintf(&d->host, "http://%s", host + 6) < 0) {
            d->host = NULL;
        }
    } else {
        d->host = strdup(host);
        r = tls && strncmp(host, "unix:", 5) != 0 ? find_certs(d, err) : 0;
    }
    return d->host == NULL ? error_set_errno(err, ENOMEM, "starting skopeo") : r;
}

static int start(char *const argv[], pid_t *ret)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    int e;

    (void)sigemptyset(&none); /* ours may be blocked: see leftovers.h */
    e = posix_spawnattr_init(&attributes);
    e = e != 0 ? e : posix_spawnattr_setsigmask(&attributes, &none);
    e = e != 0 ? e : posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    e = e != 0 ? e : posix_spawn_file_actions_init(&actions);
    if (e == 0) {
        /* Our standard output is for results alone. */
        e = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
        e = e != 0 ? e : posix_spawnp(ret, argv[0], &actions, &attributes, argv, environ);
        (void)posix_spawn_file_actions_destroy(&actions);
        (void)posix_spawnattr_destroy(&attributes);
    }
    return e;
}

static int run(char *const argv[], const char *what, struct error **err)
{
    int status = 0;
    pid_t pid;
    const int e = start(argv, &pid);

    if (e != 0) {
        return error_set_errno(err, e, "cannot start skopeo");
    }
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return error_set_errno(err, errno, "waiting for skopeo");
        }
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return error_set(err, EIO, "skopeo could not copy %s (its message stands above)", what);
    }
    return 0;
}

int skopeo_copy(const char *from, const char *to, struct error **err)
{
    const char *words[WORDS_MAX] = {"skopeo",          "copy", "--quiet", "--override-os", "linux",
                                    "--override-arch", "amd64"};
    const bool push = strncmp(to, DOCKER, strlen(DOCKER)) == 0;
    struct daemon d = {0};
    size_t n = 7;
    int r = 0;

    if (push || strncmp(from, DOCKER, strlen(DOCKER)) == 0) {
        r = find_daemon(&d, err);
    }
    if (d.host != NULL) {
        words[n++] = push ? "--dest-daemon-host" : "--src-daemon-host";
        words[n++] = d.host;
    }
    if (d.certs != NULL) {
        words[n++] = push ? "--dest-cert-dir" : "--src-cert-dir";
        words[n++] = d.certs;
    }
    words[n++] = from;
    words[n] = to;
    if (r == 0) {
        char *argv[WORDS_MAX];

        memcpy(argv, words,
               sizeof(argv)); /* posix_spawn takes them for writable, and writes none */
        r = run(argv, strncmp(from, "oci:", 4) == 0 ? to : from, err);
    }
    daemon_done(&d);
    return r;
}

int skopeo_fetch(const char *reference, struct img_store **ret, struct error **err)
{
    const char *tmp = getenv("TMPDIR");
    _cleanup_free_ char *dir = NULL;
    _cleanup_free_ char *target = NULL;
    int r = skopeo_have(reference, err);

    if (r < 0) {
        return r;
    }
    if (asprintf(&dir, "%s/nacre-image-XXXXXX", tmp == NULL || *tmp == '\0' ? "/tmp" : tmp) < 0) {
        dir = NULL;
        return error_set_errno(err, ENOMEM, "fetching %s", reference);
    }
    if (mkdtemp(dir) == NULL) {
        return error_set_errno(err, errno, "cannot create a directory for %s in TMPDIR", reference);
    }
    img_leftover_add(dir);
    if (asprintf(&target, "oci:%s:image", dir) < 0) {
        target = NULL;
        r = error_set_errno(err, ENOMEM, "fetching %s", reference);
    } else {
        r = skopeo_copy(reference, target, err);
    }
    if (r == 0) {
        r = img_store_open(dir, /*owned=*/true, ret, err);
    }
    if (r < 0) {
        img_remove_all(dir);
        img_leftover_drop(dir);
    }
    return r;
}
