/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* execve: another program in this process. */

#include <linux/fcntl.h>

#include "libos/elf/exec.h"
#include "libos/lib/uapi.h"
#include "libos/mm/kmem.h"
#include "libos/mm/user.h"
#include "libos/sys/syscall.h"

#define ARG_COUNT_MAX  32768u
#define ARG_STRING_MAX 131072u

static void free_list(char **v)
{
    for (size_t i = 0; v != NULL && v[i] != NULL; i++) {
        kfree(v[i]);
    }
    kfree(v);
}

static int copy_one(uint64_t user, char **ret)
{
    char *buf = kmalloc(ARG_STRING_MAX);
    int n;

    if (buf == NULL) {
        return -ENOMEM;
    }
    n = user_copy_string(buf, ARG_STRING_MAX, user);
    if (n >= 0) {
        *ret = kstrndup(buf, (size_t)n);
    }
    kfree(buf);
    if (n < 0) {
        return n == -ENAMETOOLONG ? -E2BIG : n;
    }
    return *ret == NULL ? -ENOMEM : 0;
}

/* A NULL-terminated list of strings of the application. NULL itself is an empty list, as in Linux.
 */
static int copy_list(uint64_t user, char ***ret)
{
    size_t cap = 16;
    size_t n = 0;
    char **v = kzalloc(cap * sizeof(*v));
    int r = v == NULL ? -ENOMEM : 0;

    while (r == 0 && user != 0) {
        uint64_t p;

        r = user_get(&p, user + n * sizeof(p));
        if (r < 0 || p == 0) {
            break;
        }
        if (n + 1 == cap) {
            char **more = n < ARG_COUNT_MAX ? krealloc(v, 2 * cap * sizeof(*v)) : NULL;

            if (more == NULL) {
                r = -E2BIG;
                break;
            }
            v = more;
            __builtin_memset(v + cap, 0, cap * sizeof(*v));
            cap *= 2;
        }
        r = copy_one(p, &v[n]);
        n++;
    }
    if (r < 0) {
        free_list(v);
        return r;
    }
    *ret = v;
    return 0;
}

static int64_t exec_name(const struct program_name *name, uint64_t user_argv, uint64_t user_envp)
{
    char **argv = NULL;
    char **envp = NULL;
    int r = copy_list(user_argv, &argv);

    if (r == 0) {
        r = copy_list(user_envp, &envp);
    }
    if (r == 0) {
        r = exec_replace(name, (const char *const *)argv, (const char *const *)envp);
    }
    free_list(argv);
    free_list(envp);
    return r;
}

SYSCALL_3(execve, uint64_t, user_path, uint64_t, user_argv, uint64_t, user_envp)
{
    struct program_name name = {.dirfd = AT_FDCWD};
    char *path;
    int64_t r = user_get_path(user_path, &path);

    if (r < 0) {
        return r;
    }
    name.path = path;
    r = exec_name(&name, user_argv, user_envp);
    kfree(path);
    return r;
}

SYSCALL_5(execveat, int, fd, uint64_t, user_path, uint64_t, user_argv, uint64_t, user_envp,
          uint32_t, flags)
{
    struct program_name name = {.dirfd = fd, .no_follow = (flags & AT_SYMLINK_NOFOLLOW) != 0};
    char *path;
    int64_t r;

    if ((flags & ~(uint32_t)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) != 0) {
        return -EINVAL;
    }
    r = user_get_path(user_path, &path);
    if (r < 0) {
        return r;
    }
    name.path = path;
    r = path[0] == '\0' && (flags & AT_EMPTY_PATH) == 0 ? -ENOENT
                                                        : exec_name(&name, user_argv, user_envp);
    kfree(path);
    return r;
}
