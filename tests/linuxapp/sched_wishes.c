/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* nice: 0 */
/* Niceness and affinity are what was set, for the thread it was set for and those it starts. */
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#include "app.h"

static void *child(void *arg)
{
    cpu_set_t set;

    SHOW(getpriority(PRIO_PROCESS, 0));
    SHOW(setpriority(PRIO_PROCESS, 0, 7));
    SHOW(getpriority(PRIO_PROCESS, 0));
    CPU_ZERO(&set);
    OK(sched_getaffinity(0, sizeof(set), &set));
    printf("child on %d processors\n", CPU_COUNT(&set));
    return NULL;
}

int main(void)
{
    cpu_set_t set, one;
    pthread_t t;
    int first = 0;

    SHOW(getpriority(PRIO_PROCESS, getpid()));
    SHOW(setpriority(PRIO_PROCESS, 0, 3));
    SHOW(getpriority(PRIO_PROCESS, 0));
    SHOW(getpriority(3, 0));
    SHOW(setpriority(-1, 0, 0));
    CPU_ZERO(&set);
    OK(sched_getaffinity(0, sizeof(set), &set));
    while (!CPU_ISSET(first, &set)) {
        first++;
    }
    CPU_ZERO(&one);
    SHOW(sched_setaffinity(0, sizeof(one), &one));
    CPU_SET(first, &one);
    SHOW(sched_setaffinity(0, sizeof(one), &one));
    CPU_ZERO(&set);
    OK(sched_getaffinity(0, sizeof(set), &set));
    printf("same %d\n", CPU_EQUAL(&one, &set) != 0);
    SHOW(sched_getaffinity(-1, sizeof(set), &set));
    SHOW(sched_setaffinity(-1, sizeof(one), &one));
    if (pthread_create(&t, NULL, child, NULL) != 0 || pthread_join(t, NULL) != 0) {
        return 1;
    }
    SHOW(getpriority(PRIO_PROCESS, 0));
    return 0;
}
