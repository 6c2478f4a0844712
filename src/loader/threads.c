/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "loader/run_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One mapping: [block page][bounce buffer]. Pages nobody touches cost nothing. */
#define BUFFER_AT ((size_t)NACRE_PAGE_SIZE)
#define MEMORY    (BUFFER_AT + HOSTCALL_BUFFER_SIZE)

static struct loader_thread **bucket(struct loader *l, uint64_t tcs)
{
    return &l->live[(tcs >> NACRE_PAGE_SHIFT) * 0x9e3779b97f4a7c15ull >> 56];
}
_Static_assert(THREAD_BUCKETS == 256, "bucket() yields 8 bits");

static struct loader_thread *find(struct loader *l, uint64_t tcs)
{
    struct loader_thread *t = *bucket(l, tcs);

    while (t != NULL && t->tcs != tcs) {
        t = t->next;
    }
    return t;
}

static struct loader_thread *new_thread(void)
{
    struct loader_thread *t = calloc(1, sizeof(*t));
    void *p;

    if (t == NULL) {
        return NULL;
    }
    p = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
             0);
    if (p == MAP_FAILED) {
        free(t);
        return NULL;
    }
    t->memory = p;
    t->memory_size = MEMORY;
    t->block = p;
    return t;
}

static void reset_thread(struct loader_thread *t, struct loader *l, uint64_t tcs)
{
    uint8_t *memory = t->memory;
    struct hostcall_block *block = t->block;

    *t = (struct loader_thread){
        .block = block, .loader = l, .tcs = tcs, .memory = memory, .memory_size = MEMORY};
    *block = (struct hostcall_block){
        .buffer = (uint64_t)(memory + BUFFER_AT),
        .buffer_size = HOSTCALL_BUFFER_SIZE,
        .tcs = tcs,
    };
}

int threads_add(struct loader *l, uint64_t tcs, struct loader_thread **ret)
{
    struct loader_thread **head = bucket(l, tcs);
    struct loader_thread *t;
    int r = 0;

    (void)pthread_mutex_lock(&l->lock);
    t = l->spare;
    if (find(l, tcs) != NULL) {
        r = -EBUSY;
    } else if (l->thread_max != 0 && l->live_count >= l->thread_max) {
        r = -EAGAIN;
    } else if (t != NULL) {
        l->spare = t->next;
    } else {
        t = new_thread();
        r = t == NULL ? -ENOMEM : 0;
    }
    if (r == 0) {
        reset_thread(t, l, tcs);
        t->next = *head;
        *head = t;
        l->live_count++;
        *ret = t;
    }
    (void)pthread_mutex_unlock(&l->lock);
    return r;
}

void threads_remove(struct loader_thread *t)
{
    struct loader *l = t->loader;
    struct loader_thread **at;

    (void)pthread_mutex_lock(&l->lock);
    for (at = bucket(l, t->tcs); *at != t; at = &(*at)->next) {
    }
    *at = t->next;
    l->live_count--;
    t->next = l->spare;
    l->spare = t;
    (void)pthread_mutex_unlock(&l->lock);
}

void threads_free_spare(struct loader *l)
{
    struct loader_thread *t;

    while ((t = l->spare) != NULL) {
        l->spare = t->next;
        (void)munmap(t->memory, t->memory_size);
        free(t);
    }
}

void threads_keep_only(struct loader_thread *t)
{
    struct loader *l = t->loader;

    (void)pthread_mutex_init(&l->lock, NULL);
    for (size_t i = 0; i < THREAD_BUCKETS; i++) {
        struct loader_thread *next;

        for (struct loader_thread *o = l->live[i]; o != NULL; o = next) {
            next = o->next;
            if (o != t) {
                o->next = l->spare;
                l->spare = o;
            }
        }
        l->live[i] = NULL;
    }
    t->tcs = l->base + layout_tcs_offset(0);
    t->next = NULL;
    t->tid = (pid_t)syscall(SYS_gettid);
    t->untold = false;
    t->level = 0;
    t->is_main = true;
    t->resuming = false;
    t->have_retry_timer = false; /* timers are not inherited */
    t->end = THREAD_GOES_ON;
    *t->block = (struct hostcall_block){
        .buffer = (uint64_t)(t->memory + BUFFER_AT),
        .buffer_size = HOSTCALL_BUFFER_SIZE,
        .tcs = t->tcs,
    };
    *bucket(l, t->tcs) = t;
    l->live_count = 1;
}

int threads_attach(struct loader_thread *t, struct error **err)
{
    sigset_t filed;
    int r;

    signals_filed_set(&filed);
    (void)pthread_sigmask(SIG_BLOCK, &filed, NULL);
    t->tid = (pid_t)syscall(SYS_gettid);
    r = t->loader->backend->thread_attach(t->loader->enclave, err);
    if (r < 0) {
        return r;
    }
    signals_set_thread(t);
    if (t->is_main) {
        /* An enclave that starts knows nothing of itself yet and cannot be interrupted. */
        t->starting = true;
        t->resuming = true; /* so that its first exit is looked at */
    } else {
        (void)pthread_sigmask(SIG_UNBLOCK, &filed, NULL);
    }
    return 0;
}

void threads_started(struct loader_thread *t)
{
    sigset_t filed;

    if (t->starting) {
        t->starting = false;
        signals_filed_set(&filed);
        (void)pthread_sigmask(SIG_UNBLOCK, &filed, NULL);
    }
}

void threads_detach(struct loader_thread *t)
{
    sigset_t filed;

    signals_filed_set(&filed);
    (void)pthread_sigmask(SIG_BLOCK, &filed, NULL);
    signals_set_thread(NULL);
    signals_forget_thread(t);
    t->loader->backend->thread_detach();
}

static void *thread_main(void *arg)
{
    _cleanup_error_ struct error *err = NULL;
    struct loader_thread *t = arg;
    enum thread_end end = THREAD_ABORTS;

    if (threads_attach(t, &err) == 0) {
        end = run_thread(t, ENTRY_THREAD, 0);
        threads_detach(t);
        signals_pass_on(t);
    }
    if (end != THREAD_DONE) {
        run_end_process(t, end);
    }
    threads_remove(t);
    return NULL;
}

int threads_start(struct loader *l, uint64_t tcs)
{
    struct loader_thread *t;
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t filed;
    sigset_t old;
    int r = threads_add(l, tcs, &t);

    if (r < 0) {
        return r;
    }
    r = pthread_attr_init(&attr);
    if (r != 0) {
        threads_remove(t);
        return -r;
    }
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attr, THREAD_HOST_STACK);
    /* Born with these blocked, so that no handler runs before there is a block to file in. */
    signals_filed_set(&filed);
    (void)pthread_sigmask(SIG_BLOCK, &filed, &old);
    r = pthread_create(&thread, &attr, thread_main, t);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    (void)pthread_attr_destroy(&attr);
    if (r != 0) {
        threads_remove(t);
    }
    return -r;
}

int threads_kick(struct loader *l, uint64_t tcs)
{
    struct loader_thread *t;
    int r = -ESRCH;

    (void)pthread_mutex_lock(&l->lock);
    t = find(l, tcs);
    if (t != NULL && t->tid == 0) {
        /* Not started yet: it finds the bit at its first entry. */
        (void)__atomic_fetch_or(block_signals(t->block), 1ull << (HOST_SIGNAL_KICK - 1),
                                __ATOMIC_SEQ_CST);
        r = 0;
    } else if (t != NULL) {
        r = syscall(SYS_tgkill, getpid(), t->tid, HOST_SIGNAL_KICK) < 0 ? -errno : 0;
    }
    (void)pthread_mutex_unlock(&l->lock);
    return r;
}
