/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The kernel as the oracle: the same random sequence of name operations runs natively in a
 * temporary directory and in the library OS, and every result must be the same number. A small set
 * of names with slashes, dots and links makes collisions likely.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int mkdir(const char *path,
          unsigned int mode); /* <sys/stat.h> and the kernel header exclude each other */
unsigned int umask(unsigned int mask);

#include "unit/libos/call.h"
#include "unit/libos/fake_host.h"
#include "unit/libos/fake_kernel.h"
#include "unit/temp_dir.h"
#include "unit/unit.h"

#include <asm/stat.h>

#define STEPS 6000

static const char *const g_names[] = {
    "a",   "b",     "c",      "d",   "a/",     "b/",      "a/x",  "b/x",  "a/y",
    "c/z", "./a",   "a/../b", "d/.", "d/..",   "l",       "l/",   "l/x",  "m",
    "a/l", "a/x/y", ".",      "..",  "l/../c", "no/such", "a//x", "c/z/",
};

static uint32_t g_seed;

static uint32_t next(void)
{
    g_seed = g_seed * 1664525u + 1013904223u;
    return g_seed >> 8;
}

static const char *pick(void)
{
    return g_names[next() % (sizeof(g_names) / sizeof(g_names[0]))];
}

static int64_t native(int64_t r)
{
    return r < 0 ? -errno : r;
}

struct step {
    int op;
    const char *a, *b;
    uint32_t n;
};

static const uint32_t g_flags[] = {
    O_RDONLY,
    O_WRONLY,
    O_RDWR,
    O_CREAT | O_RDWR,
    O_CREAT | O_EXCL | O_WRONLY,
    O_RDWR | O_TRUNC,
    O_CREAT | O_WRONLY | O_TRUNC,
    O_RDONLY | O_DIRECTORY,
    O_RDONLY | O_NOFOLLOW,
    O_PATH,
    O_PATH | O_NOFOLLOW,
    O_CREAT | O_RDONLY | O_NOFOLLOW,
    O_WRONLY | O_APPEND,
    O_PATH | O_DIRECTORY,
    O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
};

/* What both sides compare of an object: never times or numbers. */
static int64_t digest(const struct stat *st)
{
    int64_t size = S_ISREG(st->st_mode) || S_ISLNK(st->st_mode) ? (int64_t)st->st_size : 0;
    int64_t links = S_ISDIR(st->st_mode) ? 0 : (int64_t)st->st_nlink;

    return ((int64_t)st->st_mode << 32) + (links << 16) + size;
}

static int64_t run_native(const struct step *s)
{
    struct stat st;
    char buf[64];
    int64_t r;

    switch (s->op) {
    case 0: /* open, write or read a little, close */
        r = native(syscall(SYS_open, s->a, g_flags[s->n % 15], 0640));
        if (r >= 0) {
            int fd = (int)r;

            r = native(syscall(SYS_write, fd, "hello", s->n % 6));
            r = r * 100 + native(syscall(SYS_read, fd, buf, 4));
            (void)syscall(SYS_close, fd);
        }
        return r;
    case 1: return native(syscall(SYS_mkdir, s->a, 0750));
    case 2: return native(syscall(SYS_rmdir, s->a));
    case 3: return native(syscall(SYS_unlink, s->a));
    case 4: return native(syscall(SYS_rename, s->a, s->b));
    case 5: return native(syscall(SYS_renameat2, AT_FDCWD, s->a, AT_FDCWD, s->b, s->n % 4));
    case 6: return native(syscall(SYS_link, s->a, s->b));
    case 7: return native(syscall(SYS_symlink, s->a, s->b));
    case 8: return native(syscall(SYS_truncate, s->a, s->n % 9000));
    case 9: r = native(syscall(SYS_stat, s->a, &st)); return r < 0 ? r : digest(&st);
    case 10: r = native(syscall(SYS_lstat, s->a, &st)); return r < 0 ? r : digest(&st);
    case 11: return native(syscall(SYS_readlink, s->a, buf, 64));
    case 12: return native(syscall(SYS_access, s->a, s->n % 8));
    case 13: return native(syscall(SYS_chmod, s->a, 0700 | (s->n & 077)));
    case 14: return native(syscall(SYS_mknod, s->a, S_IFIFO | 0600, 0));
    default: return native(syscall(SYS_linkat, AT_FDCWD, s->a, AT_FDCWD, s->b, AT_SYMLINK_FOLLOW));
    }
}

static int64_t run_libos(const struct step *s)
{
    struct stat st;
    char buf[64];
    int64_t r;

    switch (s->op) {
    case 0:
        r = SYS(open, s->a, g_flags[s->n % 15], 0640);
        if (r >= 0) {
            int fd = (int)r;

            r = SYS(write, fd, "hello", s->n % 6);
            r = r * 100 + SYS(read, fd, buf, 4);
            (void)SYS(close, fd);
        }
        return r;
    case 1: return SYS(mkdir, s->a, 0750);
    case 2: return SYS(rmdir, s->a);
    case 3: return SYS(unlink, s->a);
    case 4: return SYS(rename, s->a, s->b);
    case 5: return SYS(renameat2, AT_FDCWD, s->a, AT_FDCWD, s->b, s->n % 4);
    case 6: return SYS(link, s->a, s->b);
    case 7: return SYS(symlink, s->a, s->b);
    case 8: return SYS(truncate, s->a, s->n % 9000);
    case 9: r = SYS(stat, s->a, &st); return r < 0 ? r : digest(&st);
    case 10: r = SYS(lstat, s->a, &st); return r < 0 ? r : digest(&st);
    case 11: return SYS(readlink, s->a, buf, 64);
    case 12: return SYS(access, s->a, s->n % 8);
    case 13: return SYS(chmod, s->a, 0700 | (s->n & 077));
    case 14: return SYS(mknod, s->a, S_IFIFO | 0600, 0);
    default: return SYS(linkat, AT_FDCWD, s->a, AT_FDCWD, s->b, AT_SYMLINK_FOLLOW);
    }
}

/* Opening a FIFO blocks on both sides: left out. */
static int is_fifo(const char *name)
{
    struct stat st;

    return syscall(SYS_stat, name, &st) == 0 && S_ISFIFO(st.st_mode);
}

static void compare(uint32_t seed, const char *where)
{
    char temp[160];
    char saved[4096];
    char clean[192];

    (void)snprintf(temp, sizeof(temp), "%s/oracle", temp_dir());
    assert_non_null(getcwd(saved, sizeof(saved)));
    assert_int_equal(mkdir(temp, 0700), 0);
    assert_int_equal(chdir(temp), 0);
    (void)umask(022);
    for (int i = 0; i < 8; i++) { /* so that ".." has the same entries on both sides */
        assert_int_equal(mkdir("w", 0755), 0);
        assert_int_equal(chdir("w"), 0);
    }
    assert_int_equal(SYS(mkdir, where, 0700), 0);
    assert_int_equal(SYS(chdir, where), 0);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(SYS(mkdir, "w", 0755), 0);
        assert_int_equal(SYS(chdir, "w"), 0);
    }
    g_seed = seed;
    for (int i = 0; i < STEPS; i++) {
        struct step s = {.op = (int)(next() % 16), .a = pick(), .b = pick(), .n = next()};

        if ((s.op == 0 && is_fifo(s.a)) ||
            ((s.op == 13 || s.op == 8) && strstr(s.a, "..") != NULL)) {
            continue;
        }
        int64_t want = run_native(&s);
        int64_t got = run_libos(&s);

        if (want != got) {
            print_error("seed %u step %d: op %d(%s, %s, %u): Linux %lld, library OS %lld\n", seed,
                        i, s.op, s.a, s.b, s.n, (long long)want, (long long)got);
            fail();
        }
    }
    assert_int_equal(chdir(saved), 0);
    (void)snprintf(clean, sizeof(clean), "rm -rf %s", temp);
    assert_int_equal(system(clean), 0);
}

static void test_memory_as_linux(void **state)
{
    if (geteuid() != 0) {
        print_message("# skip: needs root, as the library OS shows uid 0\n");
        skip();
    }
    fake_boot(-1, 1);
    for (uint32_t seed = 1; seed <= 4; seed++) {
        char where[16];

        (void)snprintf(where, sizeof(where), "/t%u", seed);
        compare(seed, where);
    }
    fake_shutdown();
}

static void test_overlay_as_linux(void **state)
{
    char lower[160];

    if (geteuid() != 0) {
        print_message("# skip: needs root, as the library OS shows uid 0\n");
        skip();
    }
    (void)snprintf(lower, sizeof(lower), "%s/lower", temp_dir());
    assert_int_equal(mkdir(lower, 0700), 0);
    int fd = (int)syscall(SYS_open, lower, O_RDONLY | O_DIRECTORY, 0);

    assert_true(fd >= 0);
    fake_boot(fd, 1);
    for (uint32_t seed = 11; seed <= 14; seed++) {
        char where[16];

        (void)snprintf(where, sizeof(where), "/t%u", seed);
        compare(seed, where);
    }
    fake_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_as_linux),
        cmocka_unit_test(test_overlay_as_linux),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
