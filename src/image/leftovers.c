/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "image/leftovers.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"

/* Globals: a signal concerns the process. */
static pthread_mutex_t g_lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static char *g_paths[IMG_LEFTOVERS_MAX];

void img_remove_all(const char *path)
{
    (void)fs_remove_tree(path);
}

/* Absolute, and the same whether the file is (still) there or not. NULL: no memory. */
static char *absolute(const char *path)
{
    _cleanup_free_ char *cwd = path[0] == '/' ? NULL : getcwd(NULL, 0);
    char *text = NULL;

    if (path[0] == '/') {
        return strdup(path);
    }
    return cwd == NULL || asprintf(&text, "%s/%s", cwd, path) < 0 ? NULL : text;
}

void img_leftover_add(const char *path)
{
    (void)pthread_mutex_lock(&g_lock);
    for (size_t i = 0; i < IMG_LEFTOVERS_MAX; i++) {
        if (g_paths[i] == NULL) {
            g_paths[i] = absolute(path);
            break;
        }
    }
    (void)pthread_mutex_unlock(&g_lock);
}

void img_leftover_drop(const char *path)
{
    _cleanup_free_ char *text = absolute(path);

    (void)pthread_mutex_lock(&g_lock);
    for (size_t i = 0; i < IMG_LEFTOVERS_MAX; i++) {
        if (text != NULL && g_paths[i] != NULL && strcmp(g_paths[i], text) == 0) {
            free(g_paths[i]);
            g_paths[i] = NULL;
        }
    }
    (void)pthread_mutex_unlock(&g_lock);
}

void img_leftovers_hold(void)
{
    (void)pthread_mutex_lock(&g_lock);
}

void img_leftovers_release(void)
{
    (void)pthread_mutex_unlock(&g_lock);
}

static void stop_signals(sigset_t *ret)
{
    (void)sigemptyset(ret);
    (void)sigaddset(ret, SIGINT);
    (void)sigaddset(ret, SIGTERM);
    (void)sigaddset(ret, SIGHUP);
}

static void *wait_for_signal(void *ctx)
{
    sigset_t set;
    int sig;

    stop_signals(&set);
    while (sigwait(&set, &sig) != 0) {
    }
    /* The lock is kept: whoever wants to note something now waits for the end. The other threads
     * may still be writing below what is removed, so it is gone through until it is gone. */
    (void)pthread_mutex_lock(&g_lock);
    for (size_t i = 0; i < IMG_LEFTOVERS_MAX; i++) {
        for (unsigned tries = 0; g_paths[i] != NULL && tries < 10 && access(g_paths[i], F_OK) == 0;
             tries++) {
            img_remove_all(g_paths[i]);
        }
    }
    (void)signal(sig, SIG_DFL);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    (void)raise(sig);
    _exit(128 + sig);
}

int img_leftovers_on_signals(struct error **err)
{
    pthread_t thread;
    sigset_t set;
    int e;

    stop_signals(&set);
    e = pthread_sigmask(SIG_BLOCK, &set, NULL);
    e = e != 0 ? e : pthread_create(&thread, NULL, wait_for_signal, NULL);
    if (e != 0) {
        return error_set_errno(err, e, "waiting for signals");
    }
    (void)pthread_detach(thread);
    return 0;
}
