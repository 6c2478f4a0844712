/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/reference.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

#define DOCKER_SOCKET "/var/run/docker.sock"

static bool has_transport(const char *name)
{
    static const char *const transports[] = {
        "oci:",           "oci-archive:",        "docker-archive:",
        "docker-daemon:", "containers-storage:", "docker://"};

    for (size_t i = 0; i < ARRAY_COUNT(transports); i++) {
        if (strncmp(name, transports[i], strlen(transports[i])) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_layout(const char *name)
{
    _cleanup_free_ char *path = NULL;

    if (asprintf(&path, "%s/index.json", name) < 0) {
        path = NULL;
        return false;
    }
    return access(path, R_OK) == 0;
}

/* docker-daemon: wants a tag; a colon of a registry's port stands before a slash. */
static bool has_tag(const char *name)
{
    const char *slash = strrchr(name, '/');

    return strpbrk(slash == NULL ? name : slash, ":@") != NULL;
}

int reference_complete(const char *name, bool to_write, char **ret, struct error **err)
{
    const bool docker = access(DOCKER_SOCKET, R_OK | W_OK) == 0 || getenv("DOCKER_HOST") != NULL;
    const char *transport = "oci:";
    const char *tag = "";

    if (name[0] == '\0') {
        return error_set(err, EINVAL, "an image's name is empty");
    }
    if (has_transport(name)) {
        transport = "";
    } else if (!to_write && is_layout(name)) {
        transport = "oci:";
    } else if (docker) {
        transport = "docker-daemon:";
        tag = has_tag(name) ? "" : ":latest";
    } else if (!to_write) {
        transport = "containers-storage:";
    }
    if (asprintf(ret, "%s%s%s", transport, name, tag) < 0) {
        return error_set_errno(err, ENOMEM, "starting");
    }
    return 0;
}
