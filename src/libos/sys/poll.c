/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* poll, ppoll, select, pselect6, epoll_*. */

#include "libos/fs/poll.h"

#include "libos/fs/epoll.h"
#include "libos/fs/fd_table.h"
#include "libos/mm/kmem.h"
#include "libos/proc/thread.h"
#include "libos/signal/signal.h"
#include "libos/sys/syscall.h"
#include "libos/time/clock.h"

#define NS_PER_MS 1000000ull

/* Absolute deadline of a timeout in ms: negative waits for ever, 0 not at all. */
static uint64_t deadline_ms(int64_t ms)
{
    if (ms <= 0) {
        return ms < 0 ? WAIT_FOREVER : 0;
    }
    return clock_monotonic() + (uint64_t)ms * NS_PER_MS;
}

/* A deadline at or before now means: look once. */
static uint64_t as_look(uint64_t deadline)
{
    return deadline != WAIT_FOREVER && deadline <= clock_monotonic() ? 0 : deadline;
}

static int set_mask(uint64_t user_mask, uint64_t size)
{
    uint64_t mask;

    if (user_mask == 0) {
        return 0;
    }
    if (size != sizeof(mask)) {
        return -EINVAL;
    }
    int r = user_get(&mask, user_mask);

    if (r == 0) {
        signal_set_temporary_mask(mask);
    }
    return r;
}

/* ---- poll ---- */

struct user_pollfd {
    int32_t fd;
    int16_t events;
    int16_t revents;
};

static int64_t poll_run(struct user_pollfd *fds, struct poll_item *items, size_t count,
                        uint64_t deadline)
{
    for (size_t i = 0; i < count; i++) {
        items[i] = (struct poll_item){.events = (uint16_t)fds[i].events};
        if (fds[i].fd >= 0) {
            items[i].file = fd_get(fds[i].fd);
            items[i].revents = items[i].file == NULL ? EV_NVAL : 0;
        }
    }
    int64_t r = poll_items(items, count, deadline);

    for (size_t i = 0; i < count; i++) {
        fds[i].revents = (int16_t)items[i].revents;
        file_put(items[i].file);
    }
    return r;
}

static int64_t poll_common(uint64_t user_fds, uint64_t count, uint64_t deadline)
{
    struct user_pollfd fast_fds[8];
    struct poll_item fast_items[8];
    struct user_pollfd *fds = fast_fds;
    struct poll_item *items = fast_items;
    _cleanup_kfree_ void *slow_fds = NULL;
    _cleanup_kfree_ void *slow_items = NULL;

    if (count > fd_table_limit()) {
        return -EINVAL;
    }
    if (count > ARRAY_COUNT(fast_fds)) {
        fds = slow_fds = kmalloc(count * sizeof(fds[0]));
        items = slow_items = kmalloc(count * sizeof(items[0]));
        if (fds == NULL || items == NULL) {
            return -ENOMEM;
        }
    }
    int r = user_copy_in(fds, user_fds, count * sizeof(fds[0]));

    if (r < 0) {
        return r;
    }
    int64_t n = poll_run(fds, items, count, deadline);

    if (n >= 0) {
        for (size_t i = 0; i < count && r == 0; i++) {
            r = user_copy_out(user_fds + i * sizeof(fds[0]) + offsetof(struct user_pollfd, revents),
                              &fds[i].revents, sizeof(fds[i].revents));
        }
    }
    return r < 0 ? r : n;
}

SYSCALL_3(poll, uint64_t, fds, uint32_t, count, int, timeout_ms)
{
    int64_t r = poll_common(fds, count, deadline_ms(timeout_ms));

    return r == -EINTR ? -ERESTARTNOHAND : r;
}

/* ppoll and pselect6 write back what is left of the timeout. */
static void put_left(uint64_t user_ts, uint64_t deadline)
{
    struct kernel_timespec64 ts;
    uint64_t now = clock_monotonic();

    if (user_ts == 0 || deadline == WAIT_FOREVER) {
        return;
    }
    ts = ns_to_timespec(deadline > now ? deadline - now : 0);
    (void)user_put(user_ts, &ts); /* read-only memory: Linux does not mind either */
}

SYSCALL_5(ppoll, uint64_t, fds, uint32_t, count, uint64_t, user_ts, uint64_t, mask, uint64_t, size)
{
    uint64_t deadline = 0;
    int r = timespec_user_deadline(user_ts, &deadline);

    if (r == 0) {
        r = set_mask(mask, size);
    }
    if (r < 0) {
        return r;
    }
    int64_t n = poll_common(fds, count, as_look(deadline));

    put_left(user_ts, deadline);
    return n == -EINTR ? -ERESTARTNOHAND : n;
}

/* ---- select ---- */

#define IN_SET  (EV_READ | EV_HUP | EV_ERR | EV_RDBAND)
#define OUT_SET (EV_WRITE | EV_ERR)
#define EX_SET  EV_PRI

struct fd_sets {
    uint64_t *bits[3]; /* read, write, except; NULL when not given */
    uint64_t user[3];
    size_t words;
};

static bool set_has(const struct fd_sets *s, int which, size_t fd)
{
    return s->bits[which] != NULL && (s->bits[which][fd / 64] >> (fd % 64) & 1) != 0;
}

static int sets_read(struct fd_sets *s, uint64_t *memory, size_t nfds)
{
    size_t bytes = (nfds + 63) / 64 * 8;
    int r = 0;

    s->words = bytes / 8;
    for (int i = 0; i < 3 && r == 0; i++) {
        s->bits[i] = s->user[i] == 0 ? NULL : memory + (size_t)i * s->words;
        if (s->bits[i] != NULL) {
            r = user_copy_in(s->bits[i], s->user[i], bytes);
        }
    }
    return r;
}

/* Opens the files of all sets: -EBADF when one is not open. Number of items. */
static int64_t select_items(const struct fd_sets *s, size_t nfds, struct poll_item *items,
                            uint32_t *fds)
{
    size_t n = 0;
    int64_t r = 0;

    for (size_t fd = 0; fd < nfds && r == 0; fd++) {
        uint32_t events = (set_has(s, 0, fd) ? IN_SET : 0) | (set_has(s, 1, fd) ? OUT_SET : 0) |
                          (set_has(s, 2, fd) ? EX_SET : 0);

        if (events == 0) {
            continue;
        }
        struct file *f = fd_get((int)fd);

        if (f == NULL) {
            r = -EBADF;
            break;
        }
        items[n] = (struct poll_item){.file = f, .events = events};
        fds[n++] = (uint32_t)fd;
    }
    if (r < 0) {
        while (n > 0) {
            file_put(items[--n].file);
        }
        return r;
    }
    return (int64_t)n;
}

static int64_t select_result(const struct fd_sets *s, const struct poll_item *items,
                             const uint32_t *fds, size_t n)
{
    static const uint32_t in[3] = {IN_SET, OUT_SET, EX_SET};
    struct fd_sets before = *s;
    int64_t total = 0;
    int r = 0;

    for (int w = 0; w < 3; w++) {
        if (s->bits[w] == NULL) {
            continue;
        }
        for (size_t i = 0; i < n; i++) {
            uint64_t bit = 1ull << (fds[i] % 64);

            if (set_has(&before, w, fds[i]) && (items[i].revents & in[w]) != 0) {
                total++;
            } else {
                s->bits[w][fds[i] / 64] &= ~bit;
            }
        }
        r = r < 0 ? r : user_copy_out(s->user[w], s->bits[w], s->words * 8);
    }
    return r < 0 ? r : total;
}

static int64_t select_common(int nfds, const uint64_t user[3], uint64_t deadline)
{
    struct fd_sets s = {.user = {user[0], user[1], user[2]}};
    size_t count = 0;

    if (nfds < 0) {
        return -EINVAL;
    }
    count = MIN((size_t)nfds, MAX(fd_table_size(process_current()->files), (size_t)64));
    _cleanup_kfree_ uint64_t *memory = kzalloc((count + 63) / 64 * 8 * 3 + 8);
    _cleanup_kfree_ struct poll_item *items = kmalloc(MAX(count, (size_t)1) * sizeof(*items));
    _cleanup_kfree_ uint32_t *fds = kmalloc(MAX(count, (size_t)1) * sizeof(*fds));

    if (memory == NULL || items == NULL || fds == NULL) {
        return -ENOMEM;
    }
    int64_t r = sets_read(&s, memory, count);

    if (r < 0) {
        return r;
    }
    int64_t n = select_items(&s, count, items, fds);

    if (n < 0) {
        return n;
    }
    r = poll_items(items, (size_t)n, deadline);
    for (int64_t i = 0; i < n; i++) {
        file_put(items[i].file);
    }
    return r < 0 ? r : select_result(&s, items, fds, (size_t)n);
}

SYSCALL_5(select, int, nfds, uint64_t, in, uint64_t, out, uint64_t, ex, uint64_t, user_tv)
{
    struct kernel_timespec64 tv;
    uint64_t deadline = WAIT_FOREVER;
    int r = 0;

    if (user_tv != 0) {
        r = user_get(&tv, user_tv);
        if (r == 0 && (tv.sec < 0 || tv.nsec < 0)) {
            r = -EINVAL;
        }
        if (r < 0) {
            return r;
        }
        tv.sec += tv.nsec / 1000000; /* microseconds; more than a second's worth is allowed */
        tv.nsec = tv.nsec % 1000000 * 1000;
        uint64_t ns = 0;

        r = timespec_to_ns(&tv, &ns);
        if (r < 0) {
            return r;
        }
        deadline = clock_monotonic();
        deadline = __builtin_add_overflow(deadline, ns, &deadline) ? WAIT_FOREVER - 1 : deadline;
    }
    int64_t n = select_common(nfds, (const uint64_t[3]){in, out, ex}, as_look(deadline));

    if (user_tv != 0 && n != -EFAULT) {
        uint64_t now = clock_monotonic();

        tv = ns_to_timespec(deadline > now ? deadline - now : 0);
        tv.nsec /= 1000;
        (void)user_put(user_tv, &tv);
    }
    return n == -EINTR ? -ERESTARTNOHAND : n;
}

SYSCALL_6(pselect6, int, nfds, uint64_t, in, uint64_t, out, uint64_t, ex, uint64_t, user_ts,
          uint64_t, user_sig)
{
    uint64_t sig[2] = {0, 0}; /* mask, size */
    uint64_t deadline = 0;
    int r = timespec_user_deadline(user_ts, &deadline);

    if (r == 0 && user_sig != 0) {
        r = user_copy_in(sig, user_sig, sizeof(sig));
    }
    if (r == 0) {
        r = set_mask(sig[0], sig[1]);
    }
    if (r < 0) {
        return r;
    }
    int64_t n = select_common(nfds, (const uint64_t[3]){in, out, ex}, as_look(deadline));

    put_left(user_ts, deadline);
    return n == -EINTR ? -ERESTARTNOHAND : n;
}

/* ---- epoll ---- */

static int64_t epoll_create_common(int flags)
{
    struct file *f = NULL;

    if ((flags & ~O_CLOEXEC) != 0) {
        return -EINVAL;
    }
    int r = epoll_create_file(&f);

    if (r < 0) {
        return r;
    }
    r = fd_install(f, flags != 0, 0);
    if (r < 0) {
        file_put(f);
    }
    return r;
}

SYSCALL_1(epoll_create, int, size)
{
    return size <= 0 ? -EINVAL : epoll_create_common(0);
}

SYSCALL_1(epoll_create1, int, flags)
{
    return epoll_create_common(flags);
}

SYSCALL_4(epoll_ctl, int, epfd, int, op, int, fd, uint64_t, user_event)
{
    struct epoll_event ev = {0};

    if (op != EPOLL_CTL_DEL) {
        int r = user_get(&ev, user_event);

        if (r < 0) {
            return r;
        }
    }
    _cleanup_file_ struct file *epf = fd_get(epfd);
    _cleanup_file_ struct file *f = fd_get(fd);

    return epf == NULL || f == NULL ? -EBADF : epoll_control(epf, op, fd, f, &ev);
}

static int64_t epoll_wait_common(int epfd, uint64_t user_events, int max, uint64_t deadline)
{
    struct epoll_event fast[32];
    struct epoll_event *events = fast;
    _cleanup_kfree_ void *slow = NULL;

    if (max <= 0 || max > (int)(INT32_MAX / sizeof(events[0]))) {
        return -EINVAL;
    }
    int r = user_check(user_events, (uint64_t)max * sizeof(events[0]));

    if (r < 0) {
        return r;
    }
    _cleanup_file_ struct file *epf = fd_get(epfd);

    if (epf == NULL) {
        return -EBADF;
    }
    max = MIN(max, MAX((int)ARRAY_COUNT(fast), (int)epoll_item_count(epf))); /* all there can be */
    if (max > (int)ARRAY_COUNT(fast)) {
        events = slow = kmalloc((size_t)max * sizeof(events[0]));
        if (events == NULL) {
            return -ENOMEM;
        }
    }
    int n = epoll_wait_events(epf, events, max, deadline);

    if (n > 0) {
        r = user_copy_out(user_events, events, (size_t)n * sizeof(events[0]));
    }
    return r < 0 ? r : n;
}

SYSCALL_4(epoll_wait, int, epfd, uint64_t, events, int, max, int, timeout_ms)
{
    return epoll_wait_common(epfd, events, max, deadline_ms(timeout_ms));
}

SYSCALL_6(epoll_pwait, int, epfd, uint64_t, events, int, max, int, timeout_ms, uint64_t, mask,
          uint64_t, size)
{
    int r = set_mask(mask, size);

    return r < 0 ? r : epoll_wait_common(epfd, events, max, deadline_ms(timeout_ms));
}

SYSCALL_6(epoll_pwait2, int, epfd, uint64_t, events, int, max, uint64_t, user_ts, uint64_t, mask,
          uint64_t, size)
{
    uint64_t deadline = 0;
    int r = timespec_user_deadline(user_ts, &deadline);

    if (r == 0) {
        r = set_mask(mask, size);
    }
    return r < 0 ? r : epoll_wait_common(epfd, events, max, as_look(deadline));
}
