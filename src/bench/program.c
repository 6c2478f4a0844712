/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Programs that measure themselves, run as they are and under nacre exec. Time is theirs; CPU time
 * is the whole process's, read from outside between two messages; exits are those of the enclave's
 * own statistics, less what a run without a batch makes.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "bench/bench.h"

#define STATS_ENV  "NACRE_STATS"
#define STATS_MAX  ((size_t)64 << 10)
#define ANSWER_MAX 128
/* Far longer than any batch on a loaded machine: the program hangs. */
#define ANSWER_MS  60000

struct child {
    pid_t pid;
    int to;
    int from;
};

static void child_end(struct child *c)
{
    if (c->pid > 0) {
        (void)kill(c->pid, SIGKILL);
        (void)waitpid(c->pid, NULL, 0);
    }
    closep(&c->to);
    closep(&c->from);
}
#define _cleanup_child_ _cleanup_(child_end)

int bench_built_file(const struct bench_context *c, const char *name, char **ret,
                     struct error **err)
{
    if (asprintf(ret, "%s/%s", c->bin_dir, name) < 0) {
        *ret = NULL;
        return error_set(err, ENOMEM, "out of memory");
    }
    return 0;
}

int bench_need_exec(const struct bench_context *c, const char *program, struct error **err)
{
    _cleanup_free_ char *libos = NULL;
    int r = bench_built_file(c, "../libos/libos.elf", &libos, err);

    if (r < 0) {
        return r;
    }
    if (access(libos, R_OK) < 0) {
        return error_set(err, EOPNOTSUPP, "needs the library OS (%s), which a build directory has",
                         libos);
    }
    if (access(program, R_OK) < 0) {
        return error_set(err, EOPNOTSUPP, "needs %s, which is not there", program);
    }
    if (strncmp(program, "/tmp/", 5) == 0 || strncmp(program, "/dev/", 5) == 0) {
        return error_set(err, EOPNOTSUPP,
                         "%s lies where an enclave has a file system of its own; build elsewhere",
                         program);
    }
    return 0;
}

/* ---- statistics of the enclave ---- */

static int stats_path(const struct bench_context *c, char **ret, struct error **err)
{
    if (asprintf(ret, "%s/stats.json", c->state_dir) < 0) {
        *ret = NULL;
        return error_set(err, ENOMEM, "out of memory");
    }
    if (setenv(STATS_ENV, *ret, 1) < 0 || (unlink(*ret) < 0 && errno != ENOENT)) {
        return error_set_errno(err, errno, "preparing %s", *ret);
    }
    return 0;
}

/* Host calls and exceptions, of every process of the program that ended: each writes an object. */
int bench_read_exits(const char *path, double *ret, struct error **err)
{
    _cleanup_free_ uint8_t *text = NULL;
    size_t size;
    size_t at = 0;
    double sum = 0;
    int r = fs_read_file(path, STATS_MAX, &text, &size, err);

    if (r < 0) {
        return r;
    }
    do {
        json_error_t where = {0};
        json_t *stats =
            json_loadb((const char *)text + at, size - at, JSON_DISABLE_EOF_CHECK, &where);

        if (!json_is_integer(json_object_get(stats, "exits")) ||
            !json_is_integer(json_object_get(stats, "aex"))) {
            json_decref(stats);
            return error_set(err, EIO, "nacre exec --stats wrote no counts to %s", path);
        }
        sum += (double)json_integer_value(json_object_get(stats, "exits")) +
               (double)json_integer_value(json_object_get(stats, "aex"));
        json_decref(stats);
        at += (size_t)where.position; /* where this one ends */
        while (at < size && (text[at] == '\n' || text[at] == ' ')) {
            at++;
        }
    } while (at < size);
    *ret = sum;
    return 0;
}

/* nacre exec before argv. */
static int exec_argv(const struct bench_context *c, const char *const *options,
                     const char *const *argv, char **ret_nacre, const char **ret,
                     struct error **err)
{
    size_t n = 0;
    int r = bench_built_file(c, "nacre", ret_nacre, err);

    if (r < 0) {
        return r;
    }
    ret[n++] = *ret_nacre;
    ret[n++] = "exec";
    ret[n++] = "--quiet";
    ret[n++] = "--stats";
    for (size_t i = 0; options != NULL && options[i] != NULL; i++) {
        if (n == BENCH_ARGS_MAX - 2) {
            return error_set(err, E2BIG, "too many options");
        }
        ret[n++] = options[i];
    }
    ret[n++] = "--";
    for (size_t i = 0; argv[i] != NULL; i++) {
        if (n == BENCH_ARGS_MAX - 1) {
            return error_set(err, E2BIG, "too many arguments");
        }
        ret[n++] = argv[i];
    }
    ret[n] = NULL;
    return 0;
}

int bench_exec_argv(const struct bench_context *c, const char *const *options,
                    const char *const *argv, char **ret_nacre, char **ret_stats, const char **ret,
                    struct error **err)
{
    int r = stats_path(c, ret_stats, err);

    return r < 0 ? r : exec_argv(c, options, argv, ret_nacre, ret, err);
}

int bench_exec_program(const struct bench_context *c, const char *const *options,
                       const char *const *argv, struct bench_sample *ret, struct error **err)
{
    _cleanup_free_ char *stats = NULL;
    _cleanup_free_ char *nacre = NULL;
    const char *args[BENCH_ARGS_MAX];
    int r = bench_exec_argv(c, options, argv, &nacre, &stats, args, err);

    if (r == 0) {
        r = bench_program(args, ret, err);
    }
    return r < 0 ? r : bench_read_exits(stats, &ret->exits, err);
}

/* ---- talking to the program ---- */

static int start(const char *const *argv, struct child *ret, struct error **err)
{
    char *const *args = (char *const *)(uintptr_t)argv;
    posix_spawn_file_actions_t actions;
    int to[2];
    int from[2];
    int r;

    /* A socket can be told not to end us with SIGPIPE when the program is gone. */
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, to) < 0) {
        return error_set_errno(err, errno, "socketpair");
    }
    ret->to = to[1];
    if (pipe2(from, O_CLOEXEC) < 0) {
        (void)close(to[0]);
        return error_set_errno(err, errno, "pipe");
    }
    ret->from = from[0];
    r = posix_spawn_file_actions_init(&actions);
    if (r == 0) {
        r = posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
        if (r == 0) {
            r = posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
        }
        if (r == 0) {
            r = posix_spawn(&ret->pid, argv[0], &actions, NULL, args, environ);
        }
        (void)posix_spawn_file_actions_destroy(&actions);
    }
    (void)close(to[0]);
    (void)close(from[1]);
    return r != 0 ? error_set_errno(err, r, "cannot start %s", argv[0]) : 0;
}

/* One line of the program. */
static int hear(const struct child *c, char *ret, struct error **err)
{
    struct pollfd p = {.fd = c->from, .events = POLLIN};
    size_t n = 0;

    while (n < ANSWER_MAX - 1) {
        const int ready = poll(&p, 1, ANSWER_MS);

        if (ready == 0) {
            return error_set(err, ETIMEDOUT, "the measuring program says nothing for %d s",
                             ANSWER_MS / 1000);
        }
        if (ready < 0 || read(c->from, &ret[n], 1) != 1) {
            return error_set(err, EIO, "the measuring program ended before its measurement");
        }
        if (ret[n++] == '\n') {
            ret[n - 1] = '\0';
            return 0;
        }
    }
    return error_set(err, EIO, "the measuring program's line is too long");
}

static int go_on(const struct child *c, struct error **err)
{
    return send(c->to, "\n", 1, MSG_NOSIGNAL) == 1
               ? 0
               : error_set_errno(err, errno, "answering the measuring program");
}

/* CPU time of all threads of the child. */
static double child_cpu_ns(const struct child *c)
{
    struct timespec ts = {};
    clockid_t clock;

    if (clock_getcpuclockid(c->pid, &clock) == 0) {
        (void)clock_gettime(clock, &ts);
    }
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static int child_finish(struct child *c, const char *name, struct error **err)
{
    const pid_t pid = c->pid;
    int status;

    if (waitpid(pid, &status, 0) != pid) {
        return error_set_errno(err, errno, "waiting for %s", name);
    }
    c->pid = 0;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return error_set(err, EIO, "%s ended with status 0x%x", name, (unsigned)status);
    }
    return 0;
}

struct measured {
    double wall_ns; /* as seen from outside */
    double cpu_ns;
    uint64_t ns, batch, all;
};

static int converse(const char *const *argv, struct measured *ret, struct error **err)
{
    _cleanup_child_ struct child c = {.to = -1, .from = -1};
    char line[ANSWER_MAX];
    double wall;
    double cpu;
    int r = start(argv, &c, err);

    if (r == 0) {
        r = hear(&c, line, err);
    }
    if (r < 0) {
        return r;
    }
    if (strcmp(line, "ready") != 0) {
        return error_set(err, EIO, "the measuring program said '%s', not 'ready'", line);
    }
    cpu = child_cpu_ns(&c);
    wall = bench_now_ns();
    r = go_on(&c, err);
    if (r == 0) {
        r = hear(&c, line, err);
    }
    if (r < 0) {
        return r;
    }
    ret->wall_ns = bench_now_ns() - wall;
    ret->cpu_ns = child_cpu_ns(&c) - cpu;
    if (sscanf(line, "done %ju %ju %ju", (uintmax_t *)&ret->ns, (uintmax_t *)&ret->batch,
               (uintmax_t *)&ret->all) != 3) {
        return error_set(err, EIO, "the measuring program said '%s', not 'done'", line);
    }
    r = go_on(&c, err);
    return r < 0 ? r : child_finish(&c, argv[0], err);
}

static int run_ops(const struct bench_context *c, const struct bench_program *p, bool inside,
                   const char *milliseconds, struct measured *ret, double *ret_exits,
                   struct error **err)
{
    _cleanup_free_ char *stats = NULL;
    _cleanup_free_ char *nacre = NULL;
    const char *args[BENCH_ARGS_MAX];
    const char *file = inside && p->inside_file != NULL ? p->inside_file : p->file;
    const char *argv[6];
    size_t n = 0;
    int r;

    if (p->interpreter != NULL) {
        argv[n++] = p->interpreter;
    }
    argv[n++] = inside && p->inside_path != NULL ? p->inside_path : p->path;
    argv[n++] = p->work;
    argv[n++] = milliseconds;
    if (file != NULL) {
        argv[n++] = file;
    }
    argv[n] = NULL;
    *ret_exits = 0;
    if (!inside) {
        return converse(argv, ret, err);
    }
    r = bench_exec_argv(c, p->options, argv, &nacre, &stats, args, err);
    if (r == 0) {
        r = converse(args, ret, err);
    }
    return r < 0 ? r : bench_read_exits(stats, ret_exits, err);
}

int bench_ops_prepare(const struct bench_context *c, struct bench_program *p, struct error **err)
{
    struct measured m = {};
    int r = bench_need_exec(c, p->path, err);

    if (r == 0 && p->interpreter != NULL) {
        r = bench_need_exec(c, p->interpreter, err);
    }
    return r < 0 ? r : run_ops(c, p, /*inside=*/true, "0", &m, &p->start_exits, err);
}

int bench_ops(const struct bench_context *c, const struct bench_program *p, bool inside,
              struct bench_sample *ret, struct error **err)
{
    struct measured m = {};
    char milliseconds[12];
    double exits;
    int r;

    (void)snprintf(milliseconds, sizeof(milliseconds), "%u", BENCH_BATCH_MS);
    r = run_ops(c, p, inside, milliseconds, &m, &exits, err);
    if (r < 0) {
        return r;
    }
    /* The time is the program's own word: a clock inside that is wrong would flatter or slander.
     * Waking up to look at it takes a while on a loaded machine. */
    if (m.batch == 0 || m.all < m.batch || (double)m.ns > m.wall_ns * 1.05 ||
        (double)m.ns < m.wall_ns / 8) {
        return error_set(err, EIO, "%s measured %ju ns for %ju operations, outside it was %.0f ns",
                         p->work, (uintmax_t)m.ns, (uintmax_t)m.batch, m.wall_ns);
    }
    ret->value = (double)m.ns / (double)m.batch;
    ret->cpu_us = m.cpu_ns / (double)m.batch / 1e3;
    ret->exits = exits > p->start_exits ? (exits - p->start_exits) / (double)m.all : 0;
    ret->n = m.batch;
    return 0;
}

/* ---- rows of such programs ---- */

int bench_ops_setup(const struct bench_context *c, void **ret_state, struct error **err)
{
    const struct bench_ops_row *row = c->row->arg;
    struct bench_program *p = calloc(1, sizeof(*p));
    int r;

    if (p == NULL) {
        return error_set(err, ENOMEM, "out of memory");
    }
    *p = (struct bench_program){.interpreter = row->interpreter, .work = row->work};
    r = bench_built_file(c, row->file, &p->path, err);
    if (r == 0) {
        r = bench_ops_prepare(c, p, err);
    }
    if (r < 0) {
        bench_ops_teardown(p);
        return r;
    }
    *ret_state = p;
    return 0;
}

int bench_ops_native(const struct bench_context *c, void *state, struct bench_sample *ret,
                     struct error **err)
{
    return bench_ops(c, state, /*inside=*/false, ret, err);
}

int bench_ops_nacre(const struct bench_context *c, void *state, struct bench_sample *ret,
                    struct error **err)
{
    return bench_ops(c, state, /*inside=*/true, ret, err);
}

void bench_ops_teardown(void *state)
{
    struct bench_program *p = state;

    free(p->path);
    free(p);
}
