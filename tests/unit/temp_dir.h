/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * A directory for one test program's files, gone when it ends. Under run-tap it lies in a directory
 * of the run (NACRE_TEST_TMP), which goes even when the program crashed; else in /tmp, and the
 * process that made it removes it at its exit.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char g_temp_dir[128];
static pid_t g_temp_dir_owner;

static inline void temp_dir_remove(void)
{
    char command[160];

    if (g_temp_dir[0] != '\0' && g_temp_dir_owner == getpid()) {
        (void)snprintf(command, sizeof(command), "rm -rf '%s'", g_temp_dir);
        (void)!system(command);
        g_temp_dir[0] = '\0';
    }
}

/* The program's directory, made at the first call; NULL with errno set. */
static inline const char *temp_dir(void)
{
    const char *base = getenv("NACRE_TEST_TMP");

    if (g_temp_dir[0] == '\0') {
        (void)snprintf(g_temp_dir, sizeof(g_temp_dir), "%.96s/nacre-unit-XXXXXX",
                       base != NULL ? base : "/tmp");
        if (mkdtemp(g_temp_dir) == NULL) {
            g_temp_dir[0] = '\0';
            return NULL;
        }
        g_temp_dir_owner = getpid();
        (void)atexit(temp_dir_remove);
    }
    return g_temp_dir;
}
