/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/install.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

#define PLACES_MAX 4

static const struct {
    const char *env;
    const char *what;
    const char *option;
    const char *places[PLACES_MAX];
} files[] = {
    [INSTALL_LIBOS] = {"NACRE_LIBOS",
                       "libos.elf",
                       "--libos",
                       {"../libos/libos.elf", "../lib/nacre/libos.elf",
                        "../lib/x86_64-linux-gnu/nacre/libos.elf", "libos.elf"}},
    [INSTALL_LOADER] = {"NACRE_LOADER",
                        "nacre-loader",
                        "--loader",
                        {"../loader/nacre-loader", "nacre-loader"}},
    [INSTALL_AGENT] = {"NACRE_AGENT",
                       "the agent",
                       "--agent",
                       {"../agent/agent", "../lib/nacre/agent",
                        "../lib/x86_64-linux-gnu/nacre/agent"}},
};

int install_folder(char **ret, struct error **err)
{
    char self[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *slash;

    if (n < 0) {
        return error_set_errno(err, errno, "finding where nacre is installed");
    }
    self[n] = '\0';
    slash = strrchr(self, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
    *ret = strdup(self);
    return *ret == NULL ? error_set_errno(err, ENOMEM, "starting") : 0;
}

int install_find(enum install_file which, const char *given, char **ret, struct error **err)
{
    _cleanup_free_ char *folder = NULL;
    int r;

    if (given == NULL) {
        given = getenv(files[which].env);
    }
    if (given != NULL) {
        *ret = strdup(given);
        return *ret == NULL ? error_set_errno(err, ENOMEM, "starting") : 0;
    }
    r = install_folder(&folder, err);
    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < PLACES_MAX && files[which].places[i] != NULL; i++) {
        char *path;

        if (asprintf(&path, "%s/%s", folder, files[which].places[i]) < 0) {
            return error_set_errno(err, ENOMEM, "starting");
        }
        if (access(path, R_OK) == 0) {
            *ret = path;
            return 0;
        }
        free(path);
    }
    return error_set(err, ENOENT, "%s is not installed beside nacre; name it with %s",
                     files[which].what, files[which].option);
}
