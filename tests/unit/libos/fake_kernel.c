/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

#include "unit/libos/fake_kernel.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libos/attest/report.h"
#include "libos/fs/fd_table.h"
#include "libos/fs/file.h"
#include "libos/fs/fs_context.h"
#include "libos/host/host_mem.h"
#include "libos/lib/random.h"
#include "libos/libos.h"
#include "libos/mm/kmem.h"
#include "libos/mm/user.h"
#include "libos/proc/freeze.h"
#include "libos/proc/park.h"
#include "libos/proc/service.h"
#include "libos/proc/thread.h"
#include "libos/proc/thread_list.h"
#include "libos/signal/signal.h"
#include "libos/sys/limits.h"
#include "libos/time/clock.h"
#include "unit/libos/fake_host.h"

/* ---- memory ---- */

static uint64_t g_alloc_count;
static uint64_t g_alloc_fail;
static uint64_t g_alloc_live;

void fake_alloc_fail_at(uint64_t n)
{
    g_alloc_count = 0;
    g_alloc_fail = n;
}

uint64_t fake_alloc_count(void)
{
    return g_alloc_count;
}

uint64_t fake_alloc_live(void)
{
    return g_alloc_live;
}

static int must_fail(void)
{
    return __atomic_add_fetch(&g_alloc_count, 1, __ATOMIC_RELAXED) == g_alloc_fail;
}

void *kmalloc(size_t size)
{
    void *p = must_fail() ? NULL : malloc(size == 0 ? 1 : size);

    if (p != NULL) {
        (void)__atomic_add_fetch(&g_alloc_live, 1, __ATOMIC_RELAXED);
        memset(p, 0xa5, size);
    }
    return p;
}

void *kzalloc(size_t size)
{
    void *p = kmalloc(size);

    if (p != NULL) {
        memset(p, 0, size);
    }
    return p;
}

void *krealloc(void *p, size_t size)
{
    if (p == NULL) {
        return kmalloc(size);
    }
    return must_fail() ? NULL : realloc(p, size);
}

void kfree(void *p)
{
    if (p != NULL) {
        (void)__atomic_sub_fetch(&g_alloc_live, 1, __ATOMIC_RELAXED);
        free(p);
    }
}

char *kstrdup(const char *s)
{
    return kstrndup(s, strlen(s));
}

char *kstrndup(const char *s, size_t max)
{
    size_t n = strnlen(s, max);
    char *p = kmalloc(n + 1);

    if (p != NULL) {
        memcpy(p, s, n);
        p[n] = '\0';
    }
    return p;
}

void *kpages_alloc(size_t pages)
{
    void *p = must_fail() ? NULL : aligned_alloc(4096, pages * 4096);

    if (p != NULL) {
        (void)__atomic_add_fetch(&g_alloc_live, 1, __ATOMIC_RELAXED);
        memset(p, 0xa5, pages * 4096);
    }
    return p;
}

void kpages_free(void *p, size_t pages)
{
    kfree(p);
}

/* ---- application memory ---- */

int user_check(uint64_t user, uint64_t size)
{
    uint64_t end;

    return user < USER_MIN_ADDR || __builtin_add_overflow(user, size, &end) || end >= 1ull << 47
               ? (size == 0 ? 0 : -EFAULT)
               : 0;
}

int user_copy_in(void *dst, uint64_t src, size_t size)
{
    if (user_check(src, size) < 0) {
        return -EFAULT;
    }
    if (size > 0) {
        memcpy(dst, (void *)(uintptr_t)src, size);
    }
    return 0;
}

int user_copy_out(uint64_t dst, const void *src, size_t size)
{
    if (user_check(dst, size) < 0) {
        return -EFAULT;
    }
    if (size > 0) {
        memcpy((void *)(uintptr_t)dst, src, size);
    }
    return 0;
}

int user_clear(uint64_t dst, size_t size)
{
    if (user_check(dst, size) < 0) {
        return -EFAULT;
    }
    if (size > 0) {
        memset((void *)(uintptr_t)dst, 0, size);
    }
    return 0;
}

int user_copy_string(char *dst, size_t cap, uint64_t src)
{
    if (user_check(src, 1) < 0) {
        return -EFAULT;
    }
    size_t n = strnlen((const char *)(uintptr_t)src, cap);

    if (n == cap) {
        return -ENAMETOOLONG;
    }
    memcpy(dst, (const char *)(uintptr_t)src, n + 1);
    return (int)n;
}

int user_get_path(uint64_t src, char **ret)
{
    char *p = kmalloc(PATH_MAX);

    if (p == NULL) {
        return -ENOMEM;
    }
    int r = user_copy_string(p, PATH_MAX, src);

    if (r < 0) {
        kfree(p);
        return r;
    }
    *ret = p;
    return 0;
}

int user_get_iov(struct user_iov *ret, uint64_t user_iov, uint64_t count)
{
    *ret = (struct user_iov){.count = count, .v = ret->fast};
    if (count > 1024) {
        return -EINVAL;
    }
    if (count > USER_IOV_FAST) {
        ret->v = kmalloc(count * sizeof(ret->v[0]));
        if (ret->v == NULL) {
            return -ENOMEM;
        }
    }
    int r = user_copy_in(ret->v, user_iov, count * sizeof(ret->v[0]));

    for (size_t i = 0; r == 0 && i < count; i++) {
        if ((int64_t)ret->v[i].size < 0) {
            r = -EINVAL;
        }
        ret->total += ret->v[i].size;
    }
    if (r < 0) {
        user_iov_free(ret);
    }
    return r;
}

void user_iov_free(struct user_iov *iov)
{
    if (iov->v != iov->fast) {
        kfree(iov->v);
    }
}

/* ---- threads ---- */

static struct process g_process;
static __thread struct thread t_thread;
static __thread uint32_t t_park_word;
static __thread uint32_t t_park_seq;
static __thread int t_signal;

struct thread *thread_current(void)
{
    return &t_thread;
}

struct process *process_current(void)
{
    return &g_process;
}

struct process *process_first(void)
{
    return &g_process;
}

/* Nobody forks here: whoever rests need not go to a gate. */
void freeze_rest_begin(void)
{
}

void freeze_rest_end_busy(void)
{
}

void freeze_rest_end(void)
{
}

void thread_put(struct thread *t)
{
    (void)ref_put(&t->refs);
}

/* t->arch leads to the two numbers, so that other threads find them. */
struct fake_arch {
    uint32_t *word;
    uint32_t *seq;
};
static __thread struct fake_arch t_arch;

uint32_t *thread_park_word(const struct thread *t)
{
    return t == NULL ? &t_park_word : ((struct fake_arch *)t->arch)->word;
}

uint64_t thread_tcs(const struct thread *t)
{
    return 0x1000;
}

uint32_t park_begin(struct thread *t)
{
    uint32_t seq = __atomic_load_n(&t_park_seq, __ATOMIC_SEQ_CST);

    __atomic_store_n(&t_park_word, seq, __ATOMIC_SEQ_CST);
    return seq;
}

uint32_t park_advance(struct thread *t)
{
    return __atomic_add_fetch(((struct fake_arch *)t->arch)->seq, 1, __ATOMIC_SEQ_CST);
}

void park_take_host_signals(void)
{
}

void park_hold_host_signals(void)
{
}

void fake_thread_begin(int tid)
{
    fake_host_thread();
    t_thread =
        (struct thread){.process = &g_process, .tid = tid, .comm = "test", .host_wake_fd = -1};
    ref_init(&t_thread.refs);
    t_arch = (struct fake_arch){.word = &t_park_word, .seq = &t_park_seq};
    t_thread.arch = &t_arch;
    mutex_lock(&g_process.threads_lock);
    list_insert(&g_process.threads, &t_thread.node);
    g_process.thread_count++;
    mutex_unlock(&g_process.threads_lock);
}

void fake_thread_end(void)
{
    mutex_lock(&g_process.threads_lock);
    list_remove(&t_thread.node);
    g_process.thread_count--;
    mutex_unlock(&g_process.threads_lock);
    if (t_thread.host_wake_fd >= 0) {
        host_fd_closed(t_thread.host_wake_fd);
        close(t_thread.host_wake_fd);
    }
    if (t_thread.tid != 1) { /* the first one still tears the namespace down */
        fake_host_thread_end();
    }
}

/* ---- threads of the library OS itself ---- */

struct fake_service {
    void (*run)(void *arg);
    void *arg;
};

static void *service_main(void *p)
{
    struct fake_service s = *(struct fake_service *)p;

    free(p);
    fake_host_thread();
    t_thread = (struct thread){.process = &g_process, .comm = "service", .host_wake_fd = -1};
    ref_init(&t_thread.refs);
    t_arch = (struct fake_arch){.word = &t_park_word, .seq = &t_park_seq};
    t_thread.arch = &t_arch;
    s.run(s.arg);
    if (t_thread.host_wake_fd >= 0) {
        host_fd_closed(t_thread.host_wake_fd);
        close(t_thread.host_wake_fd);
    }
    fake_host_thread_end();
    return NULL;
}

int service_start(void (*run)(void *arg), void *arg)
{
    struct fake_service *s = malloc(sizeof(*s));
    pthread_t thread;

    *s = (struct fake_service){.run = run, .arg = arg};
    if (pthread_create(&thread, NULL, service_main, s) != 0) {
        free(s);
        return -EAGAIN;
    }
    (void)pthread_detach(thread);
    return 0;
}

int service_start_late(void (*run)(void *arg), void *arg)
{
    return service_start(run, arg);
}

/* ---- signals ---- */

static int g_last_signal;
static struct waitq g_signal_queue;
static uint64_t g_pending;

bool thread_signal_pending(void)
{
    return t_signal != 0;
}

void fake_pend_signal(int on)
{
    t_signal = on;
}

int fake_last_signal(void)
{
    int s = g_last_signal;

    g_last_signal = 0;
    return s;
}

int signal_send_thread(struct thread *t, int signo, const struct siginfo_kernel *info)
{
    g_last_signal = signo;
    g_pending |= 1ull << (signo - 1);
    waitq_wake_all(&g_signal_queue, 1);
    return 0;
}

int signal_send_process(struct process *p, int signo, const struct siginfo_kernel *info)
{
    return signal_send_thread(NULL, signo, info);
}

int signal_take(uint64_t mask, struct siginfo_kernel *ret)
{
    uint64_t hit = g_pending & mask;

    if (hit == 0) {
        return 0;
    }
    memset(ret, 0, sizeof(*ret));
    ret->signo = __builtin_ctzll(hit) + 1;
    g_pending &= ~(1ull << (ret->signo - 1));
    return 1;
}

uint64_t signal_pending_mask(const struct thread *t)
{
    return g_pending;
}

struct waitq *signal_waitq(struct process *p)
{
    return &g_signal_queue;
}

void signal_set_temporary_mask(uint64_t mask)
{
}

void signal_get_sets(const struct thread *t, struct signal_sets *ret)
{
    *ret = (struct signal_sets){.pending = g_pending};
}

/* ---- the rest ---- */

static uint64_t g_fsize_limit = UINT64_MAX;
static char g_hostname[65] = "nacre";

uint64_t limit_current(int resource)
{
    return resource == 1 /* RLIMIT_FSIZE */ ? g_fsize_limit : UINT64_MAX;
}

uint64_t limit_maximum(int resource)
{
    return UINT64_MAX;
}

const char *ident_hostname(void)
{
    return g_hostname;
}

void ident_set_hostname(const char *name)
{
    (void)snprintf(g_hostname, sizeof(g_hostname), "%s", name);
}

const char *ident_release(void)
{
    return "6.1.0-test";
}

const char *ident_version(void)
{
    return "#1 SMP";
}

/* Another sequence in every run: names of sockets come from it, and two runs may meet. */
void random_bytes(void *dst, size_t size)
{
    static uint32_t g_seed;

    if (g_seed == 0) {
        g_seed = (uint32_t)getpid();
    }
    for (size_t i = 0; i < size; i++) {
        g_seed = g_seed * 1103515245u + 12345u;
        ((uint8_t *)dst)[i] = (uint8_t)(g_seed >> 16);
    }
}

uint64_t random_u64(void)
{
    uint64_t v;

    random_bytes(&v, sizeof(v));
    return v;
}

bool libos_log_enabled(enum log_level level)
{
    return level <= LOG_WARNING;
}

void libos_log(enum log_level level, const char *fmt, ...)
{
    va_list ap;

    if (!libos_log_enabled(level)) {
        return;
    }
    va_start(ap, fmt);
    (void)fputs("# libos: ", stderr);
    (void)vfprintf(stderr, fmt, ap);
    (void)fputs("\n", stderr);
    va_end(ap);
}

void libos_panic(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    abort();
}

/* ---- start and end ---- */

void fake_boot(int host_root, int writable)
{
    static int g_once;

    fake_host_reset();
    fake_alloc_fail_at(0);
    g_last_signal = 0;
    g_pending = 0;
    t_signal = 0;
    waitq_init(&g_signal_queue);
    g_process = (struct process){.pid = 1, .ppid = 0, .comm = "test", .exe_path = "/bin/test"};
    list_init(&g_process.threads);
    fake_thread_begin(1);
    if (g_once++ == 0) {
        clock_init(0);
    }
    struct fs_config config = {
        .root_fd = host_root, .root_writable = writable != 0, .cpus = 4, .hostname = "testhost"};

    if (fs_process_init(&g_process) < 0) {
        libos_panic("fs_process_init failed\n");
    }
    int r = fs_init(&config);

    if (r < 0) {
        libos_panic("fs_init: %d\n", r);
    }
}

void fake_set_ids(uint32_t uid, uint32_t gid)
{
    g_process.uid = g_process.euid = g_process.suid = g_process.fsuid = uid;
    g_process.gid = g_process.egid = g_process.sgid = g_process.fsgid = gid;
}

void fake_shutdown(void)
{
    fake_host_reset();
    fake_alloc_fail_at(0);
    fs_process_exit(&g_process);
    fake_thread_end();
    namespace_reset();
}

/* ---- attestation: an enclave of 0x11 bytes ---- */

int attest_report(const struct sgx_targetinfo *target, const uint8_t data[static REPORT_DATA_SIZE],
                  struct sgx_report *ret)
{
    *ret = (struct sgx_report){};
    memset(ret->body.mrenclave, 0x11, sizeof(ret->body.mrenclave));
    memcpy(ret->body.report_data, data, REPORT_DATA_SIZE);
    memcpy(ret->mac, target->mrenclave, sizeof(ret->mac));
    return 0;
}

int attest_own_target(struct sgx_targetinfo *ret)
{
    *ret = (struct sgx_targetinfo){};
    memset(ret->mrenclave, 0x11, sizeof(ret->mrenclave));
    return 0;
}

int attest_seal_key(uint16_t policy, uint8_t ret[static 16])
{
    memset(ret, policy, 16);
    return 0;
}

int attest_quote(const uint8_t data[static REPORT_DATA_SIZE], uint8_t **ret, size_t *ret_size)
{
    uint8_t *quote = kmalloc(100);

    if (quote == NULL) {
        return -ENOMEM;
    }
    memset(quote, 0x22, 100);
    memcpy(quote, data, REPORT_DATA_SIZE);
    *ret = quote;
    *ret_size = 100;
    return 0;
}
