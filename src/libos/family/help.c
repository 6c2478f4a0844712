/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Threads of the application that wait for something another process will do look for it
 * themselves (proc/wait.h, thread_wait_helping): in the owner they serve calls, in a member they
 * hear events, as long as they look around. So bytes through a pipe from a member wake nobody but
 * the thread that reads them.
 *
 * In the owner `looks` stays set when the waiting was worth it, as the thread will be back soon;
 * a member whose call is not fetched rings before it sleeps.
 */

#include "libos/family/owner_internal.h"

#define HELPED_MAX 4u /* members one thread looks for */

struct help {
    struct member *members[HELPED_MAX];
    uint32_t count;
};

_Static_assert(sizeof(struct help) <= WAIT_HELP_STATE, "room for it on the waiting thread's stack");

static bool help_members_begin(void *state)
{
    struct help *h = state;

    h->count = owner_some_members(h->members, HELPED_MAX);
    if (h->count > 0) {
        (void)__atomic_add_fetch(&g_owner.helpers, 1, __ATOMIC_ACQ_REL);
    }
    for (uint32_t i = 0; i < h->count; i++) {
        channel_look(&h->members[i]->calls, true);
    }
    return h->count > 0;
}

static bool help_members(void *state)
{
    struct help *h = state;
    bool any = false;

    for (uint32_t i = 0; i < h->count; i++) {
        struct member *m = h->members[i];

        if (channel_pending(&m->calls) && mutex_trylock(&g_owner.serving)) {
            (void)!owner_serve_member(m);
            mutex_unlock(&g_owner.serving);
            any = true;
        }
    }
    return any;
}

static bool help_members_end(void *state, bool found)
{
    struct help *h = state;
    bool any = false;

    (void)__atomic_sub_fetch(&g_owner.helpers, 1, __ATOMIC_ACQ_REL);
    for (uint32_t i = 0; i < h->count && !found; i++) {
        channel_look(&h->members[i]->calls, false);
    }
    if (!found) {
        any = help_members(h);
    }
    for (uint32_t i = 0; i < h->count; i++) {
        member_put(h->members[i]);
    }
    return any;
}

const struct wait_helper g_help_members = {
    .begin = help_members_begin, .look = help_members, .end = help_members_end};

static bool help_owner_begin(void *state)
{
    return member_look(true);
}

static bool help_owner(void *state)
{
    member_hear();
    return false; /* what it brought wakes whom it concerns */
}

static bool help_owner_end(void *state, bool found)
{
    (void)member_look(false);
    member_hear();
    return false;
}

const struct wait_helper g_help_owner = {
    .begin = help_owner_begin, .look = help_owner, .end = help_owner_end};
