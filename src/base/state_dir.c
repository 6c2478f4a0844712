/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "base/state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/alloc.h"

int state_dir_path(char **ret, struct error **err)
{
    const char *dir = secure_getenv(STATE_DIR_ENV);
    const char *tail = "";
    char *path;

    if (dir == NULL || dir[0] == '\0') {
        if (geteuid() == 0) {
            dir = "/var/lib/nacre";
        } else if ((dir = secure_getenv("XDG_STATE_HOME")) != NULL && dir[0] == '/') {
            tail = "/nacre";
        } else if ((dir = secure_getenv("HOME")) != NULL && dir[0] == '/') {
            tail = "/.local/state/nacre";
        } else {
            return error_set(err, ENOENT,
                             "no place to keep state: neither %s, XDG_STATE_HOME nor HOME is set",
                             STATE_DIR_ENV);
        }
    }
    if (dir[0] != '/') {
        return error_set(err, EINVAL, "%s must be an absolute path, not '%s'", STATE_DIR_ENV, dir);
    }
    if (asprintf(&path, "%s%s", dir, tail) < 0) {
        return error_set_errno(err, ENOMEM, "the state directory");
    }
    *ret = path;
    return 0;
}

/* Makes every directory that leads to `path`, but not `path`. */
static int make_parents(const char *path, struct error **err)
{
    _cleanup_free_ char *copy = strdup(path);

    if (copy == NULL) {
        return error_set_errno(err, ENOMEM, "making %s", path);
    }
    for (char *p = copy + 1; (p = strchr(p, '/')) != NULL; p++) {
        *p = '\0';
        if (mkdir(copy, 0755) < 0 && errno != EEXIST) {
            return error_set_errno(err, errno,
                                   "cannot make the directory %s; set %s to a place that can be "
                                   "written",
                                   copy, STATE_DIR_ENV);
        }
        *p = '/';
    }
    return 0;
}

int state_dir_make_private(const char *path, struct error **err)
{
    struct stat st;
    int r = make_parents(path, err);

    if (r < 0) {
        return r;
    }
    if (mkdir(path, 0700) < 0 && errno != EEXIST) {
        return error_set_errno(err, errno,
                               "cannot make the directory %s; set %s to a place that can be "
                               "written",
                               path, STATE_DIR_ENV);
    }
    if (lstat(path, &st) < 0) {
        return error_set_errno(err, errno, "cannot look at %s", path);
    }
    if (!S_ISDIR(st.st_mode)) {
        return error_set(err, ENOTDIR, "%s is not a directory", path);
    }
    if (st.st_uid != geteuid()) {
        return error_set(err, EPERM, "%s belongs to user %u; keys kept there would be that user's",
                         path, st.st_uid);
    }
    if ((st.st_mode & 077) != 0) {
        return error_set(err, EPERM, "%s is open to other users (mode %04o); 'chmod 700' it", path,
                         st.st_mode & 07777);
    }
    return 0;
}

int state_dir_ensure(char **ret, struct error **err)
{
    _cleanup_free_ char *dir = NULL;
    struct stat st;
    int r = state_dir_path(&dir, err);

    if (r < 0) {
        return r;
    }
    if (stat(dir, &st) < 0) {
        r = state_dir_make_private(dir, err);
    } else if (!S_ISDIR(st.st_mode)) {
        r = error_set(err, ENOTDIR, "%s is not a directory", dir);
    } else if ((st.st_mode & 022) != 0 && (st.st_mode & S_ISVTX) == 0) {
        /* It may be shared with readers (a mounted volume), never with writers. */
        r = error_set(err, EPERM, "%s can be written by other users (mode %04o); 'chmod go-w' it",
                      dir, st.st_mode & 07777);
    }
    if (r == 0) {
        *ret = TAKE_PTR(dir);
    }
    return r;
}

int state_dir_make(const char *name, char **ret, struct error **err)
{
    _cleanup_free_ char *dir = NULL;
    _cleanup_free_ char *path = NULL;
    int r = state_dir_ensure(&dir, err);

    if (r < 0) {
        return r;
    }
    if (asprintf(&path, "%s/%s", dir, name) < 0) {
        path = NULL;
        return error_set_errno(err, ENOMEM, "the state directory");
    }
    r = state_dir_make_private(path, err);
    if (r == 0) {
        *ret = TAKE_PTR(path);
    }
    return r;
}

int state_dir_lock(const char *dir, int *ret_fd, struct error **err)
{
    _cleanup_free_ char *path = NULL;
    _cleanup_close_ int fd = -1;

    if (asprintf(&path, "%s/.lock", dir) < 0) {
        path = NULL;
        return error_set_errno(err, ENOMEM, "locking %s", dir);
    }
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return error_set_errno(err, errno, "cannot open the lock %s", path);
    }
    while (flock(fd, LOCK_EX) < 0) {
        if (errno != EINTR) {
            return error_set_errno(err, errno, "cannot lock %s", path);
        }
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}
