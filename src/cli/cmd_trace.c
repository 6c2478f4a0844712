/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * nacre trace: runs an image once in developer mode and says which directories the application took
 * files from, as --dir options for nacre convert. The library OS itself keeps the list: no ptrace,
 * no strace in the image, no container engine.
 */

#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "cli/print_json.h"
#include "cli/sealed_args.h"
#include "core/ct.h"
#include "image/seal_image.h"

#define TRACE_ARGV_MAX 512u
#define REPORT_MAX     ((size_t)512 << 20)
#define GRACE_MS       5000

struct trace_args {
    struct arg_list env;
    uint64_t seconds;
    uint64_t depth;
    bool files;
    bool json;
};

/* Where one run keeps what it needs: removed at its end. */
struct scratch {
    char dir[64];
    char image[80];
    char key[80];
    char report[80];
};

static int scratch_make(struct scratch *s, struct error **err)
{
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

    /* The throwaway key is written beside the image it opens: neither is worth anything, the source
     * lies in clear as well. */
    (void)snprintf(s->dir, sizeof(s->dir), "%s/nacre-trace-XXXXXX", base);
    if (mkdtemp(s->dir) == NULL) {
        return error_set_errno(err, errno, "making a directory in %s", base);
    }
    (void)snprintf(s->image, sizeof(s->image), "%s/image", s->dir);
    (void)snprintf(s->key, sizeof(s->key), "%s/key", s->dir);
    (void)snprintf(s->report, sizeof(s->report), "%s/report", s->dir);
    return 0;
}

static void scratch_remove(struct scratch *s)
{
    if (s->dir[0] != '\0') {
        (void)unlink(s->image);
        (void)unlink(s->key);
        (void)unlink(s->report);
        (void)rmdir(s->dir);
    }
}

static int write_key(void *ctx, const uint8_t key[static SEALED_KEY_SIZE], struct error **err)
{
    const struct scratch *s = ctx;

    return fs_write_file_new(s->key, key, SEALED_KEY_SIZE, 0600, err);
}

static int seal(const struct img_source *source, struct scratch *s, struct error **err)
{
    struct progress_line line;
    struct img_seal_options options = {.key_ready = write_key, .key_ctx = s};
    struct img_seal_result result;
    int r;

    progress_start(&line, "reading the image", 2 * source->layers_size);
    options.progress = progress_hook(&line);
    r = img_seal(source, s->image, &options, &result, err);
    progress_end(&line);
    return r;
}

/* ---- what to run ---- */

struct command {
    const char *argv[TRACE_ARGV_MAX];
    size_t count;
};

static int push(struct command *c, const char *word, struct error **err)
{
    if (c->count + 1 >= TRACE_ARGV_MAX) {
        return error_set(err, E2BIG, "the command and its environment have more than %u words",
                         TRACE_ARGV_MAX);
    }
    c->argv[c->count++] = word;
    return 0;
}

static int push_list(struct command *c, const char *before, const json_t *list, const char *what,
                     struct error **err)
{
    size_t i;
    json_t *word;
    int r = 0;

    json_array_foreach(list, i, word)
    {
        if (!json_is_string(word)) {
            return error_set(err, EBADMSG, "the image's %s is no list of strings", what);
        }
        if (before != NULL) {
            r = push(c, before, err);
        }
        if (r == 0) {
            r = push(c, json_string_value(word), err);
        }
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

/* `nacre exec` with the image's environment, directory and command; borrows from its arguments. */
static int make_command(const struct trace_args *a, const struct scratch *s, const json_t *config,
                        char **words, size_t count, struct command *c, struct error **err)
{
    const char *cwd = json_string_value(json_object_get(config, "WorkingDir"));
    const char *const head[] = {
        "nacre",  "exec",  "--quiet", "--trace-files", "--sealed",
        s->image, "--key", s->key,    "--cwd",         cwd == NULL || *cwd == '\0' ? "/" : cwd};
    size_t before;
    int r = 0;

    for (size_t i = 0; i < ARRAY_COUNT(head) && r == 0; i++) {
        r = push(c, head[i], err);
    }
    if (r == 0) {
        r = push_list(c, "-e", json_object_get(config, "Env"), "environment", err);
    }
    for (size_t i = 0; i < a->env.count && r == 0; i++) {
        r = push(c, "-e", err);
        if (r == 0) {
            r = push(c, a->env.values[i], err);
        }
    }
    if (r == 0) {
        r = push(c, "--", err);
    }
    before = c->count;
    if (r == 0 && count == 0) {
        r = push_list(c, NULL, json_object_get(config, "Entrypoint"), "entrypoint", err);
    }
    if (r == 0 && count == 0) {
        r = push_list(c, NULL, json_object_get(config, "Cmd"), "command", err);
    }
    for (size_t i = 0; i < count && r == 0; i++) {
        r = push(c, words[i], err);
    }
    if (r == 0 && c->count == before) {
        r = error_set(err, EINVAL, "the image names no command; give one after --");
    }
    c->argv[c->count] = NULL;
    return r;
}

/* ---- running ---- */

static void child(const struct command *c, const struct scratch *s)
{
    /* The list is the answer and has standard output to itself. */
    if (dup2(STDERR_FILENO, STDOUT_FILENO) < 0 || setenv("NACRE_STATS", s->report, 1) != 0 ||
        prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
        _exit(CLI_CANNOT_START);
    }
    execv("/proc/self/exe", (char **)(uintptr_t)c->argv);
    _exit(CLI_CANNOT_START);
}

/* Waits for the end, or for the time and then asks, and at last insists. */
static int wait_child(pid_t pid, uint64_t seconds, int *ret_status, struct error **err)
{
    const int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    static const int signals[] = {SIGTERM, SIGKILL};
    int timeout = seconds == 0 ? -1 : (int)MIN(seconds * 1000, (uint64_t)INT_MAX);

    if (fd < 0) {
        return error_set_errno(err, errno, "watching the application");
    }
    for (size_t i = 0; i < ARRAY_COUNT(signals); i++) {
        int r;

        do {
            r = poll(&p, 1, timeout);
        } while (r < 0 && errno == EINTR);
        if (r != 0) {
            break;
        }
        if (i == 1) {
            fprintf(stderr, "nacre trace: it did not stop when asked and was killed; what it "
                            "opened is not known\n");
        }
        (void)kill(pid, signals[i]);
        timeout = GRACE_MS;
    }
    (void)close(fd);
    while (waitpid(pid, ret_status, 0) < 0) {
        if (errno != EINTR) {
            return error_set_errno(err, errno, "waiting for the application");
        }
    }
    return 0;
}

static int run(const struct command *c, const struct scratch *s, uint64_t seconds,
               struct error **err)
{
    int status = 0;
    pid_t pid = fork();
    int r;

    if (pid < 0) {
        return error_set_errno(err, errno, "starting the application");
    }
    if (pid == 0) {
        child(c, s);
    }
    r = wait_child(pid, seconds, &status, err);
    if (r == 0 && WIFEXITED(status) && WEXITSTATUS(status) != 0) {
        fprintf(stderr, "nacre trace: the application ended with status %d\n", WEXITSTATUS(status));
    }
    return r;
}

/* ---- the answer ---- */

struct paths {
    char **at; /* owned */
    size_t count;
    size_t cap;
};

static void paths_free(struct paths *p)
{
    for (size_t i = 0; i < p->count; i++) {
        free(p->at[i]);
    }
    free(p->at);
}

static int paths_add(struct paths *p, const char *text, size_t size)
{
    if (p->count == p->cap) {
        const size_t cap = p->cap == 0 ? 256 : 2 * p->cap;
        char **at = reallocarray(p->at, cap, sizeof(*at));

        if (at == NULL) {
            return -ENOMEM;
        }
        p->at = at;
        p->cap = cap;
    }
    p->at[p->count] = strndup(text, size);
    return p->at[p->count++] == NULL ? -ENOMEM : 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void paths_sort(struct paths *p)
{
    size_t n = 0;

    if (p->count == 0) {
        return;
    }
    qsort(p->at, p->count, sizeof(*p->at), by_name);
    for (size_t i = 1; i < p->count; i++) {
        if (strcmp(p->at[n], p->at[i]) == 0) {
            free(p->at[i]);
        } else {
            p->at[++n] = p->at[i];
        }
    }
    p->count = n + 1;
}

static bool below(const char *path, const char *dir)
{
    const size_t size = strlen(dir);

    return strncmp(path, dir, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

/* What is made in the enclave and never in an image. */
static bool synthetic(const char *path)
{
    static const char *const dirs[] = {"/proc", "/sys", "/dev", "/tmp", "/run/nacre"};

    for (size_t i = 0; i < ARRAY_COUNT(dirs); i++) {
        if (below(path, dirs[i])) {
            return true;
        }
    }
    return path[0] != '/';
}

/* The report has one code point a byte. */
static char *bytes_of(const char *utf8)
{
    char *text = strdup(utf8);
    char *to = text;

    for (const char *s = utf8; text != NULL && *s != '\0'; s++) {
        const uint8_t c = (uint8_t)*s;

        *to++ = c < 0x80 || s[1] == '\0' ? (char)c
                                         : (char)(((c & 0x03) << 6) | ((uint8_t) * ++s & 0x3f));
    }
    if (text != NULL) {
        *to = '\0';
    }
    return text;
}

static int read_report(const struct scratch *s, struct paths *ret, struct error **err)
{
    _cleanup_free_ uint8_t *data = NULL;
    size_t size;
    int r = fs_read_file(s->report, REPORT_MAX, &data, &size, err);

    if (r < 0) {
        return error_set(err, -r,
                         "the application left no list of files: it was killed, or could "
                         "not be started");
    }
    for (char *line = (char *)data; r == 0 && *line != '\0';) {
        char *end = strchrnul(line, '\n');
        const bool last = *end == '\0';
        json_t *j;
        const char *file;
        _cleanup_free_ char *path = NULL;

        *end = '\0';
        j = json_loads(line, 0, NULL);
        file = json_string_value(json_object_get(j, "file"));
        path = file == NULL ? NULL : bytes_of(file);
        if (path != NULL && !synthetic(path) &&
            strcmp(json_string_value(json_object_get(j, "type")), "f") == 0) {
            r = paths_add(ret, path, strlen(path));
        }
        if (json_integer_value(json_object_get(j, "lost")) > 0) {
            fprintf(stderr, "nacre trace: memory ran out; the list is not complete\n");
        }
        json_decref(j);
        line = last ? end : end + 1;
    }
    if (r < 0) {
        return error_set_errno(err, -r, "reading the list of files");
    }
    paths_sort(ret);
    return 0;
}

/* The directory of each file, cut to `depth` components, without those below another. */
static int directories(const struct paths *files, uint64_t depth, struct paths *ret,
                       struct error **err)
{
    struct paths all = {0};
    int r = 0;

    for (size_t i = 0; i < files->count && r == 0; i++) {
        const char *path = files->at[i];
        const char *end = strrchr(path, '/');
        const char *p = path;

        for (uint64_t d = 0; d < depth && p < end; d++) {
            const char *slash = memchr(p + 1, '/', (size_t)(end - p - 1));

            p = slash == NULL ? end : slash;
        }
        /* A file right below / stands for itself: nobody wants --dir=/ for its sake. */
        r = end == path ? paths_add(&all, path, strlen(path))
                        : paths_add(&all, path, (size_t)(p - path));
    }
    paths_sort(&all);
    for (size_t i = 0; i < all.count && r == 0; i++) {
        if (ret->count == 0 || !below(all.at[i], ret->at[ret->count - 1])) {
            r = paths_add(ret, all.at[i], strlen(all.at[i]));
        }
    }
    paths_free(&all);
    return r < 0 ? error_set_errno(err, -r, "sorting the list of files") : 0;
}

static json_t *json_of(const struct paths *p)
{
    json_t *list = json_array();

    for (size_t i = 0; i < p->count; i++) {
        json_t *text = json_string(p->at[i]);

        /* JSON has no word for bytes that are no UTF-8. */
        json_array_append_new(list, text == NULL ? json_string("(not UTF-8)") : text);
    }
    return list;
}

static int print(const struct trace_args *a, const struct paths *files, const struct paths *dirs,
                 struct error **err)
{
    if (a->json) {
        return cli_print_json(
            json_pack("{s:o,s:o}", "dirs", json_of(dirs), "files", json_of(files)), err);
    }
    for (size_t i = 0; a->files && i < files->count; i++) {
        printf("%s\n", files->at[i]);
    }
    for (size_t i = 0; !a->files && i < dirs->count; i++) {
        printf("--dir=%s%s", dirs->at[i], i + 1 < dirs->count ? " " : "\n");
    }
    return 0;
}

static int trace(const struct trace_args *a, char **words, size_t count, struct scratch *s,
                 struct error **err)
{
    _cleanup_img_source_ struct img_source *source = NULL;
    _cleanup_(paths_free) struct paths files = {0};
    _cleanup_(paths_free) struct paths dirs = {0};
    struct command command = {.count = 0};
    json_t *root;
    int r = img_source_open(words[0], &source, err);

    if (r == 0) {
        r = scratch_make(s, err);
    }
    if (r == 0) {
        r = seal(source, s, err);
    }
    if (r < 0) {
        return r;
    }
    root = json_loadb((const char *)source->config, source->config_size, 0, NULL);
    r = make_command(a, s, json_object_get(root, "config"), words + 1, count - 1, &command, err);
    if (r == 0) {
        r = run(&command, s, a->seconds, err);
    }
    json_decref(root);
    if (r == 0) {
        r = read_report(s, &files, err);
    }
    if (r == 0) {
        r = directories(&files, a->depth, &dirs, err);
    }
    return r < 0 ? r : print(a, &files, &dirs, err);
}

int cmd_trace(int argc, char **argv, struct error **err)
{
    struct trace_args a = {.depth = 3};
    const struct arg_option options[] = {
        {"for", 0, ARG_U64, "SECONDS", "ask the application to stop after this time (services)",
         &a.seconds},
        {"depth", 0, ARG_U64, "N", "at most so many components of a directory (default 3)",
         &a.depth},
        {"env", 'e', ARG_LIST, "NAME=VALUE", "for the application", &a.env},
        {"files", 0, ARG_FLAG, NULL, "print every file instead of directories", &a.files},
        {"json", 0, ARG_FLAG, NULL, "print both as JSON", &a.json},
        {NULL}};
    const struct arg_spec spec = {
        .verb = "nacre trace",
        .synopsis = "[OPTIONS] IMAGE [-- PROGRAM ARGUMENTS]",
        .summary = "Run an image once and print which directories it takes its files from.",
        .options = options,
        .examples = "  nacre trace --for 10 oci:native_flask_restapi_image\n"
                    "  nacre convert --from oci:app --to oci:sealed $(nacre trace oci:app -- "
                    "/app/selftest)\n",
        .notes = "Prints ready --dir options for nacre convert. The run is in developer mode and "
                 "unprotected: it\nsees the same files as the application, not your secrets. What "
                 "the run does not touch is not\nlisted, so exercise the application, or seal "
                 "everything, which is the default of nacre convert.",
        .min_args = 1,
        .max_args = SIZE_MAX,
        .stop_at_positional = true,
    };
    struct scratch s = {0};
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    if (count > 1 && strcmp(argv[1], "--") == 0) { /* IMAGE -- PROGRAM */
        argv[1] = argv[0];
        argv++;
        count--;
    }
    if (a.depth == 0) {
        (void)error_set(err, EINVAL, "--depth must be at least 1");
        return CLI_USAGE;
    }
    r = trace(&a, argv, count, &s, err);
    scratch_remove(&s);
    return r == 0 ? CLI_OK : r == -ENOEXEC ? CLI_UNSUPPORTED : CLI_FAILED;
}
