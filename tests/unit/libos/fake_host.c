/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

#include "unit/libos/fake_host.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "abi/hostcall.h"

struct host_bounce {
    uint8_t *p;
    size_t size;
    size_t used;
};
struct thread;

int64_t hostcall(enum hostcall number, const uint64_t args[static HOSTCALL_ARGS]);
struct host_bounce *host_bounce(void);
uint32_t *thread_park_word(const struct thread *t);
uint64_t thread_tcs(const struct thread *t);

/* The loader's own: memory between processes is the same here. */
struct loader_thread;
int64_t hostcall_share_offer(struct loader_thread *t, const uint64_t *a);
int64_t hostcall_share_take(struct loader_thread *t, const uint64_t *a);

static uint64_t g_calls;
static uint64_t g_calls_of[HOSTCALL_MAX];
static uint64_t g_lie_at;
static uint64_t g_lie_seen;
static enum fake_lie g_lie;
static int g_lie_about = -1;
static const uint8_t *g_fuzz;
static size_t g_fuzz_size;
static size_t g_fuzz_at;

static __thread struct host_bounce t_bounce;

void fake_host_reset(void)
{
    g_calls = 0;
    memset(g_calls_of, 0, sizeof(g_calls_of));
    g_lie = LIE_NONE;
    g_lie_at = 0;
    g_lie_seen = 0;
    g_lie_about = -1;
    g_fuzz = NULL;
}

void fake_host_lie(uint64_t nth, enum fake_lie lie)
{
    g_lie_at = nth;
    g_lie_seen = 0;
    g_lie = lie;
}

void fake_host_lie_about(int number)
{
    g_lie_about = number;
}

uint64_t fake_host_calls(void)
{
    return __atomic_load_n(&g_calls, __ATOMIC_RELAXED);
}

uint64_t fake_host_calls_of(int number)
{
    return g_calls_of[number];
}

void fake_host_fuzz(const uint8_t *data, size_t size)
{
    g_fuzz = data;
    g_fuzz_size = size;
    g_fuzz_at = 0;
    g_lie = LIE_RANDOM;
    g_lie_at = 0;
}

size_t fake_host_bounce_used(void)
{
    return t_bounce.used;
}

void fake_host_thread(void)
{
    if (t_bounce.p == NULL) {
        t_bounce.size = HOSTCALL_BUFFER_SIZE;
        t_bounce.p = aligned_alloc(4096, t_bounce.size);
        t_bounce.used = 0;
    }
}

void fake_host_thread_end(void)
{
    free(t_bounce.p);
    t_bounce.p = NULL;
}

struct host_bounce *host_bounce(void)
{
    fake_host_thread();
    return &t_bounce;
}

static uint8_t fuzz_byte(void)
{
    return g_fuzz_at < g_fuzz_size ? g_fuzz[g_fuzz_at++] : 0;
}

/* A fuzzed answer: one control byte chooses the kind of result, the next ones its value, and one
 * more how much of the bounce area is overwritten with input. */
static int64_t fuzzed(enum hostcall number)
{
    int64_t r = 0;
    uint8_t kind;

    if (g_fuzz_at >= g_fuzz_size) { /* dry: every call fails, so that all loops end */
        return -EIO;
    }
    kind = fuzz_byte();
    size_t n = (size_t)fuzz_byte() * 16;

    for (size_t i = 0; i < n && i < t_bounce.size && g_fuzz_at < g_fuzz_size; i++) {
        t_bounce.p[i] = fuzz_byte();
    }
    switch (kind % 6) {
    case 0: r = fuzz_byte(); break;
    case 1: r = -(int64_t)fuzz_byte(); break;
    case 2: r = fuzz_byte() | fuzz_byte() << 8 | fuzz_byte() << 16; break;
    case 3:
        for (int i = 0; i < 8; i++) {
            r = (int64_t)((uint64_t)r << 8 | fuzz_byte());
        }
        break;
    case 4: r = 0; break;
    default: r = -(int64_t)(1000 + fuzz_byte()); break;
    }
    /* a mapping is the one address we hand out: never one of our own */
    return number == HOSTCALL_map_file || number == HOSTCALL_share_offer ||
                   number == HOSTCALL_share_take
               ? -ENOMEM
               : r;
}

static int64_t result(int64_t r)
{
    return r < 0 ? -errno : r;
}

static void ns_to_ts(int64_t ns, struct timespec *ts)
{
    ts->tv_sec = ns / 1000000000;
    ts->tv_nsec = ns % 1000000000;
}

#define FD(i)  ((int)a[i])
#define PTR(i) ((void *)(uintptr_t)a[i])

static int64_t file_call(enum hostcall number, const uint64_t *a)
{
    switch (number) {
    case HOSTCALL_openat: return result(openat(FD(0), PTR(1), (int)a[2], (mode_t)a[3]));
    case HOSTCALL_close: return FD(0) <= 2 ? 0 : result(close(FD(0))); /* the test's own */
    case HOSTCALL_read: return result(read(FD(0), PTR(1), a[2]));
    case HOSTCALL_write: return result(write(FD(0), PTR(1), a[2]));
    case HOSTCALL_pread: return result(pread(FD(0), PTR(1), a[2], (off_t)a[3]));
    case HOSTCALL_pwrite: return result(pwrite(FD(0), PTR(1), a[2], (off_t)a[3]));
    case HOSTCALL_fstat: return result(fstat(FD(0), PTR(1)));
    case HOSTCALL_fstatat: return result(fstatat(FD(0), PTR(1), PTR(2), (int)a[3]));
    case HOSTCALL_getdents: return result(syscall(SYS_getdents64, FD(0), PTR(1), a[2]));
    case HOSTCALL_lseek: return result(lseek(FD(0), (off_t)a[1], (int)a[2]));
    case HOSTCALL_ftruncate: return result(ftruncate(FD(0), (off_t)a[1]));
    case HOSTCALL_fsync: return result(a[1] != 0 ? fdatasync(FD(0)) : fsync(FD(0)));
    case HOSTCALL_mkdirat: return result(mkdirat(FD(0), PTR(1), (mode_t)a[2]));
    case HOSTCALL_unlinkat: return result(unlinkat(FD(0), PTR(1), (int)a[2]));
    case HOSTCALL_renameat:
        return result(renameat2(FD(0), PTR(1), FD(2), PTR(3), (unsigned int)a[4]));
    case HOSTCALL_linkat: return result(linkat(FD(0), PTR(1), FD(2), PTR(3), (int)a[4]));
    case HOSTCALL_symlinkat: return result(symlinkat(PTR(0), FD(1), PTR(2)));
    case HOSTCALL_readlinkat: return result(readlinkat(FD(0), PTR(1), PTR(2), a[3]));
    case HOSTCALL_fchmodat: return result(fchmodat(FD(0), PTR(1), (mode_t)a[2], 0));
    case HOSTCALL_utimensat: return result(utimensat(FD(0), PTR(1), PTR(2), (int)a[3]));
    case HOSTCALL_fallocate: return result(fallocate(FD(0), (int)a[1], (off_t)a[2], (off_t)a[3]));
    case HOSTCALL_ioctl: return result(ioctl(FD(0), a[1], PTR(2)));
    case HOSTCALL_fcntl: return result(fcntl(FD(0), (int)a[1], a[2]));
    case HOSTCALL_fstatfs: return result(fstatfs(FD(0), PTR(1)));
    case HOSTCALL_map_file: {
        void *p = mmap(NULL, a[2], PROT_READ, MAP_PRIVATE, FD(0), (off_t)a[1]);

        return p == MAP_FAILED ? -errno : (int64_t)(uintptr_t)p;
    }
    case HOSTCALL_unmap: return result(munmap(PTR(0), a[1]));
    default: return -ENOSYS;
    }
}

static int64_t epoll_read(const uint64_t *a)
{
    struct timespec ts;
    int32_t *sizes = PTR(4);
    uint8_t *data = PTR(5);

    ns_to_ts((int64_t)a[3], &ts);
    const int64_t count =
        result(epoll_pwait2(FD(0), PTR(1), (int)a[2], (int64_t)a[3] < 0 ? NULL : &ts, NULL));

    for (int64_t i = 0; i < count; i++) {
        const struct epoll_event *ev = (const struct epoll_event *)PTR(1) + i;
        const int fd = (int)(ev->data.u64 >> EPOLL_READ_FD_SHIFT & (EPOLL_READ_FD_MAX - 1));

        sizes[i] = -EAGAIN;
        if ((ev->data.u64 & EPOLL_READ_STREAM) != 0 && ev->events == EPOLLIN) {
            const int64_t n =
                result(recv(fd, data + i * EPOLL_READ_SIZE, EPOLL_READ_SIZE, MSG_DONTWAIT));

            sizes[i] = n == 0 ? -EAGAIN : (int32_t)n;
        }
    }
    return count;
}

static int64_t net_call(enum hostcall number, const uint64_t *a)
{
    struct timespec ts;

    switch (number) {
    case HOSTCALL_socket: return result(socket((int)a[0], (int)a[1], (int)a[2]));
    case HOSTCALL_bind: return result(bind(FD(0), PTR(1), (socklen_t)a[2]));
    case HOSTCALL_listen: return result(listen(FD(0), (int)a[1]));
    case HOSTCALL_accept: return result(accept4(FD(0), PTR(1), PTR(2), (int)a[3]));
    case HOSTCALL_connect: return result(connect(FD(0), PTR(1), (socklen_t)a[2]));
    case HOSTCALL_getsockname: return result(getsockname(FD(0), PTR(1), PTR(2)));
    case HOSTCALL_getpeername: return result(getpeername(FD(0), PTR(1), PTR(2)));
    case HOSTCALL_getsockopt:
        return result(getsockopt(FD(0), (int)a[1], (int)a[2], PTR(3), PTR(4)));
    case HOSTCALL_setsockopt:
        return result(setsockopt(FD(0), (int)a[1], (int)a[2], PTR(3), (socklen_t)a[4]));
    case HOSTCALL_shutdown: return result(shutdown(FD(0), (int)a[1]));
    case HOSTCALL_sendmsg: return result(sendmsg(FD(0), PTR(1), (int)a[2] | MSG_NOSIGNAL));
    case HOSTCALL_recvmsg: return result(recvmsg(FD(0), PTR(1), (int)a[2]));
    case HOSTCALL_sendto:
        return result(
            sendto(FD(0), PTR(1), a[2], (int)a[3] | MSG_NOSIGNAL, PTR(4), (socklen_t)a[5]));
    case HOSTCALL_recvfrom: return result(recvfrom(FD(0), PTR(1), a[2], (int)a[3], PTR(4), PTR(5)));
    case HOSTCALL_poll:
        ns_to_ts((int64_t)a[2], &ts);
        return result(ppoll(PTR(0), a[1], (int64_t)a[2] < 0 ? NULL : &ts, NULL));
    case HOSTCALL_epoll_create: return result(epoll_create1(EPOLL_CLOEXEC));
    case HOSTCALL_epoll_ctl: return result(epoll_ctl(FD(0), (int)a[1], FD(2), PTR(3)));
    case HOSTCALL_epoll_wait:
        ns_to_ts((int64_t)a[3], &ts);
        return result(epoll_pwait2(FD(0), PTR(1), (int)a[2], (int64_t)a[3] < 0 ? NULL : &ts, NULL));
    case HOSTCALL_epoll_read: return epoll_read(a);
    case HOSTCALL_eventfd: return result(eventfd((unsigned int)a[0], (int)a[1]));
    case HOSTCALL_share_offer: return hostcall_share_offer(NULL, a);
    case HOSTCALL_share_take: return hostcall_share_take(NULL, a);
    default: return -ENOSYS;
    }
}

static int64_t other_call(enum hostcall number, const uint64_t *a)
{
    struct timespec ts;

    switch (number) {
    case HOSTCALL_exit: _exit((int)a[0]);
    case HOSTCALL_log: return (int64_t)fwrite(PTR(1), 1, a[2], stderr) >= 0 ? 0 : -EIO;
    case HOSTCALL_futex_wait:
        ns_to_ts((int64_t)a[2], &ts);
        return result(syscall(SYS_futex, PTR(0), 0 /* FUTEX_WAIT */, (uint32_t)a[1],
                              (int64_t)a[2] < 0 ? NULL : &ts, NULL, 0));
    case HOSTCALL_futex_wake:
        return result(syscall(SYS_futex, PTR(0), 1, (int)a[1], NULL, NULL, 0));
    case HOSTCALL_yield: return result(sched_yield());
    case HOSTCALL_clock_gettime:
        if (clock_gettime((clockid_t)a[0], &ts) < 0) {
            return -errno;
        }
        return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
    case HOSTCALL_getaffinity: return result(syscall(SYS_sched_getaffinity, 0, a[1], PTR(0)));
    case HOSTCALL_set_timer: return 0;
    default: return -ENOSYS;
    }
}

static int64_t carry_out(enum hostcall number, const uint64_t *a)
{
    if (number >= HOSTCALL_openat && number < HOSTCALL_socket) {
        return file_call(number, a);
    }
    if (number >= HOSTCALL_socket && number < HOSTCALL_thread_create) {
        return net_call(number, a);
    }
    return other_call(number, a);
}

/* Half of a descriptor would be another one of this very process. */
static bool gives_descriptor(enum hostcall number)
{
    return number == HOSTCALL_openat || number == HOSTCALL_socket || number == HOSTCALL_accept ||
           number == HOSTCALL_epoll_create || number == HOSTCALL_eventfd;
}

static int64_t lie(enum hostcall number, const uint64_t *a)
{
    int64_t r;

    switch (g_lie) {
    case LIE_EIO: return -EIO;
    case LIE_EINTR: return -EINTR;
    case LIE_EAGAIN: return -EAGAIN;
    case LIE_NEGATIVE: return -4000;
    case LIE_WILD: return INT64_MAX - 7;
    case LIE_ZERO: return 0;
    case LIE_LONG: r = carry_out(number, a); return r >= 0 ? r + (1 << 21) : r;
    case LIE_SHORT: r = carry_out(number, a); return r > 1 && !gives_descriptor(number) ? r / 2 : r;
    case LIE_RANDOM: return fuzzed(number);
    default: return carry_out(number, a);
    }
}

/* Clocks, parking and the end are left alone: what they may do is tested by themselves. */
static bool may_lie(enum hostcall number)
{
    if (g_lie == LIE_NONE || (g_lie_about >= 0 && (int)number != g_lie_about)) {
        return false;
    }
    return g_lie_about >= 0 || (number != HOSTCALL_clock_gettime && number != HOSTCALL_exit &&
                                number != HOSTCALL_futex_wait && number != HOSTCALL_futex_wake &&
                                number != HOSTCALL_yield && number != HOSTCALL_log);
}

int64_t hostcall(enum hostcall number, const uint64_t args[static HOSTCALL_ARGS])
{
    (void)__atomic_add_fetch(&g_calls, 1, __ATOMIC_RELAXED);
    (void)__atomic_add_fetch(&g_calls_of[number], 1, __ATOMIC_RELAXED);
    if (may_lie(number)) {
        g_lie_seen++;
        if (g_lie_at == 0 || g_lie_seen == g_lie_at) {
            return lie(number, args);
        }
    }
    return carry_out(number, args);
}
