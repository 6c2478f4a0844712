/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/shm/home.h"

#include "libos/libos.h"
#include "libos/proc/thread.h"
#include "libos/proc/wait.h"
#include "libos/shm/link.h"

int shm_home_create(const struct directory_backing *backing, void *ctx, uint64_t pages,
                    uint64_t *ret)
{
    int r;

    shm_lock();
    r = directory_create_home(backing, ctx, pages, ret);
    shm_unlock();
    return r;
}

int shm_home_attach(uint32_t member, uint64_t object)
{
    uint64_t pages;
    int r;

    shm_lock();
    r = directory_attach(member, object, &pages);
    shm_unlock();
    return r;
}

void shm_home_drop(uint64_t object)
{
    shm_lock();
    directory_drop(object);
    shm_unlock();
}

struct visit {
    struct thread *thread;
    void (*act)(void *ctx, uint8_t *data);
    void *ctx;
    uint32_t done;
    int error;
};

static void act(void *ctx, uint8_t *data, int error)
{
    struct visit *v = ctx;

    v->error = error;
    if (error == 0) {
        v->act(v->ctx, data);
    }
    thread_set_flag(v->thread, &v->done);
}

int shm_home_visit(uint64_t object, uint64_t page, bool write,
                   void (*visit)(void *ctx, uint8_t *data), void *ctx)
{
    struct visit v = {.thread = thread_current(), .act = visit, .ctx = ctx};
    int r;

    shm_lock();
    r = directory_visit(object, page, write, act, &v);
    shm_unlock();
    if (r < 0 && r != -EINPROGRESS) {
        return r;
    }
    (void)!thread_wait_page(&v.done, /*give_way=*/false);
    return v.error;
}

void shm_home_wake(uint64_t object, uint64_t offset)
{
    const struct shm_head h = {
        .op = SHM_FUTEX_WAKE, .object = object, .page = offset, .a = UINT32_MAX, .b = UINT32_MAX};

    shm_lock();
    (void)!shm_post(&h, NULL);
    shm_unlock();
}

bool shm_home_away(uint64_t object, uint64_t page, uint64_t last, uint64_t *ret)
{
    bool away;

    shm_lock();
    away = directory_away(object, page, last, ret);
    shm_unlock();
    return away;
}

void shm_home_forgive(uint64_t object, uint64_t page)
{
    shm_lock();
    directory_forgive(object, page);
    shm_unlock();
}
