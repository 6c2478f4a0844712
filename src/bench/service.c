/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Servers under load, natively and under nacre exec. Each batch starts the server afresh, so that
 * its exits can be told from the count it leaves at its end; what a start and an end without load
 * cost is taken off. CPU time is the server's alone, read around the load.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "bench/service.h"

#define READY_MS   60000u
#define END_MS     20000u
#define STEP_MS    5u
#define OUTPUT_MAX ((size_t)256 << 10)

static void sleep_ms(unsigned ms)
{
    const struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    (void)nanosleep(&ts, NULL);
}

/* The first file of that name in PATH which can be run; an absolute name stays. */
static bool find_program(const char *name, char *dst, size_t size)
{
    const char *path = getenv("PATH");

    if (name[0] == '/') {
        return snprintf(dst, size, "%s", name) < (int)size && access(dst, X_OK) == 0;
    }
    if (path == NULL || path[0] == '\0') {
        path = "/usr/local/bin:/usr/bin:/bin";
    }
    for (const char *p = path; p != NULL; p = strchr(p, ':') == NULL ? NULL : strchr(p, ':') + 1) {
        const size_t n = strcspn(p, ":");

        if (snprintf(dst, size, "%.*s/%s", (int)n, p, name) < (int)size && access(dst, X_OK) == 0) {
            return true;
        }
    }
    /* where Debian keeps servers, which is not in everybody's PATH */
    return snprintf(dst, size, "/usr/sbin/%s", name) < (int)size && access(dst, X_OK) == 0;
}

static struct sockaddr_in local(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int choose_port(struct bench_service *s, struct error **err)
{
    _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = local(0);
    socklen_t size = sizeof(a);

    if (fd < 0 || bind(fd, (struct sockaddr *)&a, size) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &size) < 0) {
        return error_set_errno(err, errno, "looking for a free port");
    }
    s->port = ntohs(a.sin_port);
    (void)snprintf(s->port_text, sizeof(s->port_text), "%u", s->port);
    return 0;
}

static bool answers(uint16_t port)
{
    _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_in a = local(port);

    return fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0;
}

/* What a server says is nobody's concern; out_fd < 0 sends it nowhere. */
static int spawn(const char *const *argv, int out_fd, pid_t *ret, struct error **err)
{
    char *const *args = (char *const *)(uintptr_t)argv;
    posix_spawn_file_actions_t actions;
    int r = posix_spawn_file_actions_init(&actions);

    if (r != 0) {
        return error_set_errno(err, r, "starting %s", argv[0]);
    }
    r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (r == 0 && out_fd >= 0) {
        r = posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
    } else if (r == 0) {
        r = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    }
    if (r == 0) {
        r = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    }
    if (r == 0) {
        r = posix_spawn(ret, argv[0], &actions, NULL, args, environ);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return r != 0 ? error_set_errno(err, r, "cannot start %s", argv[0]) : 0;
}

int bench_client_output(const char *const *argv, char **ret, struct error **err)
{
    char program[256];
    const char *args[BENCH_ARGS_MAX];
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    size_t n = 0;
    int fds[2];
    int status;
    pid_t pid;

    if (!find_program(argv[0], program, sizeof(program))) {
        return error_set(err, EOPNOTSUPP, "needs %s, which is not installed", argv[0]);
    }
    for (; argv[n] != NULL && n < BENCH_ARGS_MAX - 1; n++) {
        args[n] = n == 0 ? program : argv[n];
    }
    args[n] = NULL;
    text = malloc(OUTPUT_MAX + 1);
    if (text == NULL || pipe2(fds, O_CLOEXEC) < 0) {
        return error_set(err, ENOMEM, "running %s", argv[0]);
    }
    _cleanup_close_ int from = fds[0];
    int r = spawn(args, fds[1], &pid, err);

    (void)close(fds[1]);
    if (r < 0) {
        return r;
    }
    for (ssize_t got; size < OUTPUT_MAX; size += (size_t)got) {
        got = read(from, text + size, OUTPUT_MAX - size);
        if (got <= 0) {
            break;
        }
    }
    text[size] = '\0';
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return error_set(err, EIO, "%s failed: %.200s", argv[0], text);
    }
    *ret = TAKE_PTR(text);
    return 0;
}

/* ---- one server ---- */

struct server {
    pid_t pid;
};

static void server_kill(struct server *s)
{
    if (s->pid > 0) {
        (void)kill(s->pid, SIGKILL);
        (void)waitpid(s->pid, NULL, 0);
        s->pid = 0;
    }
}
#define _cleanup_server_ _cleanup_(server_kill)

static int wait_ready(struct server *server, const struct bench_service *s, struct error **err)
{
    for (unsigned waited = 0; waited < READY_MS; waited += STEP_MS) {
        int status;

        if (answers(s->port)) {
            return 0;
        }
        if (waitpid(server->pid, &status, WNOHANG) == server->pid) {
            server->pid = 0;
            return error_set(err, EIO, "%s ended with status 0x%x instead of serving", s->argv[0],
                             (unsigned)status);
        }
        sleep_ms(STEP_MS);
    }
    return error_set(err, ETIMEDOUT, "%s does not serve port %u within %u s", s->argv[0], s->port,
                     READY_MS / 1000);
}

/* An orderly end, so that it leaves its counts. */
static int stop(struct server *server, const struct bench_service *s, struct error **err)
{
    (void)kill(server->pid, SIGTERM);
    for (unsigned waited = 0; waited < END_MS; waited += STEP_MS) {
        int status;

        if (waitpid(server->pid, &status, WNOHANG) == server->pid) {
            server->pid = 0;
            return 0;
        }
        sleep_ms(STEP_MS);
    }
    return error_set(err, ETIMEDOUT, "%s does not end within %u s of SIGTERM", s->argv[0],
                     END_MS / 1000);
}

/* CPU time of all threads of the server. */
static double cpu_ns(const struct server *server)
{
    struct timespec ts = {};
    clockid_t clock;

    if (clock_getcpuclockid(server->pid, &clock) == 0) {
        (void)clock_gettime(clock, &ts);
    }
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

struct outcome {
    double ops, ns, cpu, all_ops;
};

static int under_load(struct server *server, const struct bench_service *s, struct outcome *ret,
                      struct error **err)
{
    double ns;
    int r = 0;

    ret->all_ops = 0;
    if (s->plan->warm_up != NULL) {
        r = s->plan->warm_up(s, &ret->all_ops, &ns, err);
    }
    ret->cpu = cpu_ns(server);
    if (r == 0) {
        r = s->plan->load(s, &ret->ops, &ret->ns, err);
    }
    ret->cpu = cpu_ns(server) - ret->cpu;
    ret->all_ops += ret->ops;
    if (r == 0 && (ret->ops <= 0 || ret->ns <= 0)) {
        return error_set(err, EIO, "the load on %s came to nothing", s->argv[0]);
    }
    return r;
}

/* ret NULL: without load. */
static int serve(const struct bench_context *c, const struct bench_service *s, bool inside,
                 struct outcome *ret, double *ret_exits, struct error **err)
{
    _cleanup_server_ struct server server = {};
    _cleanup_free_ char *stats = NULL;
    _cleanup_free_ char *nacre = NULL;
    const char *const *argv = (const char *const *)s->argv;
    const char *args[BENCH_ARGS_MAX];
    int r = 0;

    if (inside) {
        r = bench_exec_argv(c, NULL, argv, &nacre, &stats, args, err);
    }
    if (r == 0) {
        r = spawn(inside ? args : argv, -1, &server.pid, err);
    }
    if (r == 0) {
        r = wait_ready(&server, s, err);
    }
    if (r == 0 && ret != NULL) {
        r = under_load(&server, s, ret, err);
    }
    if (r == 0) {
        r = stop(&server, s, err);
    }
    *ret_exits = 0;
    return r == 0 && inside ? bench_read_exits(stats, ret_exits, err) : r;
}

/* ---- rows ---- */

void bench_service_teardown(void *state)
{
    struct bench_service *s = state;

    if (s->dir != NULL) {
        (void)fs_remove_tree(s->dir);
    }
    free(s->dir);
    for (size_t i = 0; i < BENCH_SERVICE_ARGS; i++) {
        free(s->argv[i]);
    }
    free(s);
}

/* An argument of the plan as the server gets it. */
static int argument(const struct bench_context *c, const struct bench_service *s, const char *text,
                    char **ret, struct error **err)
{
    const size_t built = strlen(BENCH_BUILT);
    const size_t dir = strlen(BENCH_DIR);
    int r;

    if (strncmp(text, BENCH_BUILT, built) == 0) {
        r = bench_built_file(c, text + built, ret, err);
        return r < 0 ? r : bench_need_exec(c, *ret, err);
    }
    r = strncmp(text, BENCH_DIR, dir) == 0
            ? asprintf(ret, "%s/%s", s->dir, text + dir)
            : asprintf(ret, "%s", strcmp(text, BENCH_PORT) == 0 ? s->port_text : text);
    if (r < 0) {
        *ret = NULL;
        return error_set(err, ENOMEM, "out of memory");
    }
    return 0;
}

static int make_dir(const struct bench_context *c, struct bench_service *s, struct error **err)
{
    _cleanup_free_ char *dir = NULL;
    int r = bench_built_file(c, "../bench/service-XXXXXX", &dir, err);

    if (r < 0) {
        return r;
    }
    /* Servers that start as root read their files as somebody else. */
    if (mkdtemp(dir) == NULL || chmod(dir, 0755) < 0) {
        return error_set(err, EOPNOTSUPP, "needs a build directory it can write to (%s)",
                         strerror(errno));
    }
    s->dir = TAKE_PTR(dir);
    return s->plan->fill(s, err);
}

static int prepare(const struct bench_context *c, struct bench_service *s, struct error **err)
{
    const struct bench_service_plan *plan = s->plan;
    char program[256];
    int r = plan->need != NULL ? plan->need(err) : 0;

    if (r < 0) {
        return r;
    }
    if (plan->client != NULL && !find_program(plan->client, program, sizeof(program))) {
        return error_set(err, EOPNOTSUPP, "needs %s, which is not installed", plan->client);
    }
    if (!find_program(plan->argv[0], program, sizeof(program))) {
        return error_set(err, EOPNOTSUPP, "needs %s, which is not installed", plan->argv[0]);
    }
    r = bench_need_exec(c, program, err);
    if (r == 0) {
        r = choose_port(s, err);
    }
    if (r == 0 && plan->fill != NULL) {
        r = make_dir(c, s, err);
    }
    for (size_t i = 0; r == 0 && i < BENCH_SERVICE_ARGS && plan->argv[i] != NULL; i++) {
        r = argument(c, s, i == 0 ? program : plan->argv[i], &s->argv[i], err);
    }
    return r < 0 ? r : serve(c, s, /*inside=*/true, NULL, &s->start_exits, err);
}

int bench_service_setup(const struct bench_context *c, void **ret_state, struct error **err)
{
    struct bench_service *s = calloc(1, sizeof(*s));
    int r;

    if (s == NULL) {
        return error_set(err, ENOMEM, "out of memory");
    }
    s->plan = c->row->arg;
    r = prepare(c, s, err);
    if (r < 0) {
        bench_service_teardown(s);
        return r;
    }
    *ret_state = s;
    return 0;
}

static int run(const struct bench_context *c, const struct bench_service *s, bool inside,
               struct bench_sample *ret, struct error **err)
{
    struct outcome o = {};
    double exits;
    int r = serve(c, s, inside, &o, &exits, err);

    if (r < 0) {
        return r;
    }
    ret->value = o.ops / (o.ns / 1e9);
    ret->cpu_us = o.cpu / o.ops / 1e3;
    ret->exits = exits > s->start_exits ? (exits - s->start_exits) / o.all_ops : 0;
    ret->n = (uint64_t)o.ops;
    return 0;
}

int bench_service_native(const struct bench_context *c, void *state, struct bench_sample *ret,
                         struct error **err)
{
    return run(c, state, /*inside=*/false, ret, err);
}

int bench_service_nacre(const struct bench_context *c, void *state, struct bench_sample *ret,
                        struct error **err)
{
    return run(c, state, /*inside=*/true, ret, err);
}

int bench_wrk(const struct bench_service *s, double *ret_ops, double *ret_ns, struct error **err)
{
    const struct bench_wrk_arg *arg = s->plan->load_arg;
    _cleanup_free_ char *text = NULL;
    char url[128];
    char count[16];
    const char *const argv[] = {"wrk", "-t1", count, "-d1", url, NULL};
    unsigned long requests;
    const char *line;
    double seconds;
    int r;

    (void)snprintf(count, sizeof(count), "-c%u", arg->connections);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", s->port, arg->path);
    r = bench_client_output(argv, &text, err);
    if (r < 0) {
        return r;
    }
    line = strstr(text, " requests in ");
    while (line != NULL && line > text && line[-1] != '\n') {
        line--;
    }
    if (line == NULL || sscanf(line, "%lu requests in %lfs", &requests, &seconds) != 2 ||
        strstr(text, "Non-2xx") != NULL || strstr(text, "Socket errors") != NULL) {
        return error_set(err, EIO, "wrk is not content: %.300s", text);
    }
    *ret_ops = (double)requests;
    *ret_ns = seconds * 1e9;
    return 0;
}

/* ---- the first answer ---- */

static bool answers_http(uint16_t port, const char *path)
{
    _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_in a = local(port);
    char text[256];
    const int size = snprintf(text, sizeof(text), "GET %s HTTP/1.0\r\n\r\n", path);

    return fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0 &&
           send(fd, text, (size_t)size, MSG_NOSIGNAL) == size &&
           recv(fd, text, 5, MSG_WAITALL) == 5 && memcmp(text, "HTTP/", 5) == 0;
}

static int peak_mib(pid_t pid, double *ret, struct error **err)
{
    char path[64];
    char line[256];
    unsigned long kib = 0;
    FILE *f;

    (void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
    f = fopen(path, "re");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL &&
           sscanf(line, "VmHWM: %lu kB", &kib) != 1) {
    }
    if (f != NULL) {
        (void)fclose(f);
    }
    *ret = (double)kib / 1024;
    return kib == 0 ? error_set(err, EIO, "%s does not tell its memory", path) : 0;
}

int bench_service_cold(const struct bench_context *c, const struct bench_service *s, bool inside,
                       const char *path, double *ret_ms, double *ret_mib, struct error **err)
{
    _cleanup_server_ struct server server = {};
    _cleanup_free_ char *stats = NULL;
    _cleanup_free_ char *nacre = NULL;
    const char *const *argv = (const char *const *)s->argv;
    const char *args[BENCH_ARGS_MAX];
    double start;
    int r = 0;

    if (inside) {
        r = bench_exec_argv(c, NULL, argv, &nacre, &stats, args, err);
    }
    start = bench_now_ns();
    if (r == 0) {
        r = spawn(inside ? args : argv, -1, &server.pid, err);
    }
    if (r == 0) {
        r = wait_ready(&server, s, err);
    }
    for (unsigned waited = 0; r == 0 && !answers_http(s->port, path); waited++) {
        if (waited == READY_MS) {
            return error_set(err, ETIMEDOUT, "%s does not answer", s->argv[0]);
        }
        sleep_ms(1);
    }
    *ret_ms = (bench_now_ns() - start) / 1e6;
    if (r == 0) {
        r = peak_mib(server.pid, ret_mib, err);
    }
    return r == 0 ? stop(&server, s, err) : r;
}
