/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* --strace: names, arguments by their kind, results. Counters and reports: report.c. */

#include "libos/sys/trace.h"

#include <linux/fcntl.h>
#include <linux/mman.h>

#include "libos/host/host.h"
#include "libos/lib/errno_name.h"
#include "libos/lib/strbuild.h"
#include "libos/libos.h"
#include "libos/mm/user.h"

#define STRING_SHOWN 80u
#define BYTES_SHOWN  32u

bool g_trace_on;

struct flag_name {
    uint64_t bit;
    const char *name;
};

static const struct flag_name open_flags[] = {
    {O_CREAT, "O_CREAT"},         {O_EXCL, "O_EXCL"},         {O_NOCTTY, "O_NOCTTY"},
    {O_TRUNC, "O_TRUNC"},         {O_APPEND, "O_APPEND"},     {O_NONBLOCK, "O_NONBLOCK"},
    {O_DIRECTORY, "O_DIRECTORY"}, {O_NOFOLLOW, "O_NOFOLLOW"}, {O_CLOEXEC, "O_CLOEXEC"},
    {O_PATH, "O_PATH"},
};
static const struct flag_name prot_flags[] = {
    {PROT_READ, "PROT_READ"}, {PROT_WRITE, "PROT_WRITE"}, {PROT_EXEC, "PROT_EXEC"}};
static const struct flag_name map_flags[] = {
    {MAP_FIXED, "MAP_FIXED"},
    {MAP_ANONYMOUS, "MAP_ANONYMOUS"},
    {MAP_32BIT, "MAP_32BIT"},
    {MAP_GROWSDOWN, "MAP_GROWSDOWN"},
    {MAP_NORESERVE, "MAP_NORESERVE"},
    {MAP_POPULATE, "MAP_POPULATE"},
    {MAP_STACK, "MAP_STACK"},
    {MAP_HUGETLB, "MAP_HUGETLB"},
    {MAP_FIXED_NOREPLACE, "MAP_FIXED_NOREPLACE"},
};
static const struct flag_name clone_flags[] = {
    {0x100, "CLONE_VM"},
    {0x200, "CLONE_FS"},
    {0x400, "CLONE_FILES"},
    {0x800, "CLONE_SIGHAND"},
    {0x4000, "CLONE_VFORK"},
    {0x10000, "CLONE_THREAD"},
    {0x40000, "CLONE_SYSVSEM"},
    {0x80000, "CLONE_SETTLS"},
    {0x100000, "CLONE_PARENT_SETTID"},
    {0x200000, "CLONE_CHILD_CLEARTID"},
    {0x1000000, "CLONE_CHILD_SETTID"},
};

static const char *const signal_names[] = {
    "0",         "SIGHUP",  "SIGINT",    "SIGQUIT", "SIGILL",   "SIGTRAP", "SIGABRT", "SIGBUS",
    "SIGFPE",    "SIGKILL", "SIGUSR1",   "SIGSEGV", "SIGUSR2",  "SIGPIPE", "SIGALRM", "SIGTERM",
    "SIGSTKFLT", "SIGCHLD", "SIGCONT",   "SIGSTOP", "SIGTSTP",  "SIGTTIN", "SIGTTOU", "SIGURG",
    "SIGXCPU",   "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO",   "SIGPWR",  "SIGSYS",
};
static const char *const clock_names[] = {
    "CLOCK_REALTIME",          "CLOCK_MONOTONIC",     "CLOCK_PROCESS_CPUTIME_ID",
    "CLOCK_THREAD_CPUTIME_ID", "CLOCK_MONOTONIC_RAW", "CLOCK_REALTIME_COARSE",
    "CLOCK_MONOTONIC_COARSE",  "CLOCK_BOOTTIME",
};
static const char *const futex_names[] = {
    "FUTEX_WAIT",           "FUTEX_WAKE",        "FUTEX_FD",          "FUTEX_REQUEUE",
    "FUTEX_CMP_REQUEUE",    "FUTEX_WAKE_OP",     "FUTEX_LOCK_PI",     "FUTEX_UNLOCK_PI",
    "FUTEX_TRYLOCK_PI",     "FUTEX_WAIT_BITSET", "FUTEX_WAKE_BITSET", "FUTEX_WAIT_REQUEUE_PI",
    "FUTEX_CMP_REQUEUE_PI", "FUTEX_LOCK_PI2",
};

static void put_flags(struct strbuild *b, uint64_t v, const struct flag_name *f, size_t count,
                      const char *none)
{
    bool first = true;

    for (size_t i = 0; i < count; i++) {
        if ((v & f[i].bit) != f[i].bit) {
            continue;
        }
        strbuild_add(b, "%s%s", first ? "" : "|", f[i].name);
        v &= ~f[i].bit;
        first = false;
    }
    if (v != 0) {
        strbuild_add(b, "%s0x%lx", first ? "" : "|", v);
    } else if (first) {
        strbuild_add(b, "%s", none);
    }
}

static void put_name(struct strbuild *b, uint64_t v, const char *const *names, size_t count)
{
    if (v < count) {
        strbuild_add(b, "%s", names[v]);
    } else {
        strbuild_add(b, "%ld", v);
    }
}

static void put_char(struct strbuild *b, uint8_t c)
{
    if (c == '\n') {
        strbuild_add(b, "\\n");
    } else if (c == '"' || c == '\\') {
        strbuild_add(b, "\\%c", c);
    } else if (c >= 32 && c < 127) {
        strbuild_add(b, "%c", c);
    } else {
        strbuild_add(b, "\\%o", c);
    }
}

static void put_bytes(struct strbuild *b, uint64_t user, uint64_t size)
{
    uint8_t data[BYTES_SHOWN];
    const size_t n = MIN(size, (uint64_t)sizeof(data));

    if (user_copy_in(data, user, n) < 0) {
        strbuild_add(b, "0x%lx", user);
        return;
    }
    strbuild_add(b, "\"");
    for (size_t i = 0; i < n; i++) {
        put_char(b, data[i]);
    }
    strbuild_add(b, size > n ? "\"..." : "\"");
}

static void put_string(struct strbuild *b, uint64_t user)
{
    char text[STRING_SHOWN + 1];
    int r = user_copy_string(text, sizeof(text), user);
    const size_t n = r == -ENAMETOOLONG ? sizeof(text) - 1 : (size_t)r;

    if (r < 0 && r != -ENAMETOOLONG) {
        strbuild_add(b, user == 0 ? "NULL" : "0x%lx", user);
        return;
    }
    strbuild_add(b, "\"");
    for (size_t i = 0; i < n; i++) {
        put_char(b, (uint8_t)text[i]);
    }
    strbuild_add(b, r < 0 ? "\"..." : "\"");
}

static void put_open_flags(struct strbuild *b, uint64_t v)
{
    static const char *const modes[] = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"};

    strbuild_add(b, "%s", modes[v & O_ACCMODE]);
    if ((v & ~(uint64_t)O_ACCMODE) != 0) {
        strbuild_add(b, "|");
        put_flags(b, v & ~(uint64_t)O_ACCMODE, open_flags, ARRAY_COUNT(open_flags), "");
    }
}

static void put_argument(struct strbuild *b, char kind, uint64_t v, uint64_t next)
{
    switch (kind) {
    case 'd':
        if ((int32_t)v == AT_FDCWD) {
            strbuild_add(b, "AT_FDCWD");
        } else {
            strbuild_add(b, "%d", (int32_t)v);
        }
        break;
    case 'i': strbuild_add(b, "%d", (int32_t)v); break;
    case 'l': strbuild_add(b, "%ld", v); break;
    case 'u': strbuild_add(b, "%lu", v); break;
    case 's': put_string(b, v); break;
    case 'b': put_bytes(b, v, next); break;
    case 'o': strbuild_add(b, "0%o", (uint32_t)v); break;
    case 'f': put_open_flags(b, (uint32_t)v); break;
    case 'm': put_flags(b, v, prot_flags, ARRAY_COUNT(prot_flags), "PROT_NONE"); break;
    case 'M':
        strbuild_add(b, (v & MAP_TYPE) == MAP_PRIVATE ? "MAP_PRIVATE|" : "MAP_SHARED|");
        put_flags(b, v & ~(uint64_t)MAP_TYPE, map_flags, ARRAY_COUNT(map_flags), "0");
        break;
    case 'S': put_name(b, v, signal_names, ARRAY_COUNT(signal_names)); break;
    case 'c': put_name(b, v, clock_names, ARRAY_COUNT(clock_names)); break;
    case 'C': put_flags(b, v, clone_flags, ARRAY_COUNT(clone_flags), "0"); break;
    case 'F':
        put_name(b, v & 0x7f, futex_names, ARRAY_COUNT(futex_names));
        strbuild_add(b, "%s%s", (v & 0x80) != 0 ? "_PRIVATE" : "",
                     (v & 0x100) != 0 ? "|FUTEX_CLOCK_REALTIME" : "");
        break;
    case 'p': strbuild_add(b, v == 0 ? "NULL" : "0x%lx", v); break;
    default: strbuild_add(b, "0x%lx", v); break;
    }
}

static void put_call(struct strbuild *b, uint64_t number, const uint64_t args[static 6])
{
    const struct syscall_row *row = &syscall_table[number];

    if (row->name == NULL) {
        strbuild_add(b, "syscall_%lu(", number);
        return;
    }
    strbuild_add(b, "%s(", row->name);
    for (size_t i = 0; row->args[i] != '\0'; i++) {
        if (i > 0) {
            strbuild_add(b, ", ");
        }
        put_argument(b, row->args[i], args[i], i < 5 ? args[i + 1] : 0);
    }
}

static void put_result(struct strbuild *b, int64_t r)
{
    if (r >= 0 && r < 4096) {
        strbuild_add(b, ") = %ld", r);
    } else if (r < 0 && r >= -133) {
        strbuild_add(b, ") = -1 %s", errno_name((int)-r));
    } else if (r < 0 && r >= -ERESTART_RESTARTBLOCK) {
        strbuild_add(b, ") = ? (interrupted)");
    } else {
        strbuild_add(b, ") = 0x%lx", r);
    }
}

static void emit(const struct strbuild *b)
{
    host_log(LOG_TRACE, b->text, strbuild_length(b));
}

/* Who calls: a thread by its number, and its process where that is another one. */
static void put_caller(struct strbuild *b)
{
    const struct thread *t = thread_current();

    if (t->tid == t->process->pid) {
        strbuild_add(b, "[%d] ", t->tid);
    } else {
        strbuild_add(b, "[%d:%d] ", t->process->pid, t->tid);
    }
}

/* Calls that do not come back, and those that may block for long, are shown when they begin. */
void trace_enter(uint64_t number, const uint64_t args[static 6])
{
    struct strbuild b;

    if (number != 60 /* exit */ && number != 231 /* exit_group */ && number != 15 /* sigreturn */) {
        return;
    }
    strbuild_init(&b);
    put_caller(&b);
    put_call(&b, number, args);
    strbuild_add(&b, ") = ?");
    emit(&b);
}

void trace_leave(uint64_t number, const uint64_t args[static 6], int64_t result)
{
    struct strbuild b;

    strbuild_init(&b);
    put_caller(&b);
    put_call(&b, number, args);
    put_result(&b, result);
    emit(&b);
}

void trace_exception(const struct cpu_context *ctx, uint32_t vector, uint32_t code,
                     uint64_t address)
{
    struct strbuild b;

    if (!g_trace_on) {
        return;
    }
    strbuild_init(&b);
    put_caller(&b);
    strbuild_add(&b, "--- exception %u (code 0x%x, address 0x%lx) at 0x%lx ---", vector, code,
                 address, ctx->rip);
    emit(&b);
}
