/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * What processes share after a fork: files, positions, pipes, names, locks. The owner and its
 * children are real processes, forked as the enclave does it: the child has a copy of everything,
 * joins, and turns what is shared into remote objects. Oracle: the same calls on Linux behave so.
 */

#include <linux/xattr.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libos/family/home.h"
#include "libos/family/rpc.h"
#include "libos/family/share.h"
#include "libos/fs/file.h"
#include "unit/libos/call.h"
#include "unit/libos/fake_kernel.h"
#include "unit/unit.h"

#include <asm/stat.h>
#include <linux/eventpoll.h>

/* <fcntl.h> does not go together with the kernel's headers. */
extern int open(const char *path, int flags, ...);

#define CHECK(c)                                                             \
    do {                                                                     \
        if (!(c)) {                                                          \
            fprintf(stderr, "# child: %s:%d: " #c "\n", __func__, __LINE__); \
            _exit(1);                                                        \
        }                                                                    \
    } while (0)

/* Steps of parent and child in turn, over pipes of the real Linux. */
static int g_to_child[2];
static int g_to_parent[2];
static uint32_t g_next_member;

static void step(void) /* tells the other */
{
    CHECK(write(g_to_child[1] < 0 ? g_to_parent[1] : g_to_child[1], "x", 1) == 1);
}

static void await(void) /* waits for the other */
{
    char c;

    CHECK(read(g_to_child[1] < 0 ? g_to_child[0] : g_to_parent[0], &c, 1) == 1);
}

static void begin(void **state)
{
    fake_boot(-1, 1);
}

/* A child that runs `body` as a member of the family. */
static pid_t spawn(void (*body)(void))
{
    struct family_ticket t;
    pid_t pid;

    /* the child's number is known before: it needs its grants when it is copied */
    assert_int_equal(share_begin(process_current(), ++g_next_member), 0);
    assert_int_equal(pipe(g_to_child), 0);
    assert_int_equal(pipe(g_to_parent), 0);
    pid = fork();
    if (pid == 0) {
        close(g_to_child[1]);
        g_to_child[1] = -1;
        close(g_to_parent[0]);
        CHECK(read(g_to_child[0], &t, sizeof(t)) == sizeof(t));
        share_start();
        CHECK(family_join(&t) == 0);
        CHECK(share_join(process_current()) == 0);
        body();
        family_leave();
        _exit(0);
    }
    close(g_to_child[0]);
    close(g_to_parent[1]);
    assert_int_equal(family_become_owner(), 0);
    assert_int_equal(family_new_member(&t), 0);
    assert_int_equal(t.member, g_next_member);
    assert_int_equal(write(g_to_child[1], &t, sizeof(t)), sizeof(t));
    return pid;
}

static void end(pid_t pid)
{
    int status = -1;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(g_to_child[1]);
    close(g_to_parent[0]);
    family_reset();
    fake_shutdown();
}

static int open_at(const char *path, int flags)
{
    return (int)SYS(open, path, flags, 0644);
}

static void put(const char *path, const char *text)
{
    int fd = open_at(path, O_CREAT | O_TRUNC | O_WRONLY);

    assert_true(fd >= 0);
    assert_int_equal(SYS(write, fd, text, strlen(text)), strlen(text));
    assert_int_equal(SYS(close, fd), 0);
}

static bool holds(const char *path, const char *text)
{
    char buf[256] = {0};
    int fd = open_at(path, O_RDONLY);
    int64_t n = fd < 0 ? fd : SYS(read, fd, buf, sizeof(buf));

    if (fd >= 0) {
        (void)SYS(close, fd);
    }
    return n == (int64_t)strlen(text) && memcmp(buf, text, (size_t)n) == 0;
}

/* ---- files ---- */

static void child_files(void)
{
    struct stat st;
    char buf[64];

    CHECK(holds("/tmp/old", "before the fork"));
    CHECK(SYS(stat, "/tmp/old", &st) == 0 && st.st_size == 15);
    CHECK(SYS(stat, "/tmp/none", &st) == -ENOENT);
    int fd = open_at("/tmp/new", O_CREAT | O_EXCL | O_RDWR);
    CHECK(fd >= 0);
    CHECK(SYS(write, fd, "from the child", 14) == 14);
    CHECK(SYS(pread64, fd, buf, sizeof(buf), 5) == 9 && memcmp(buf, "the child", 9) == 0);
    CHECK(SYS(ftruncate, fd, 8) == 0);
    CHECK(SYS(fstat, fd, &st) == 0 && st.st_size == 8);
    CHECK(SYS(lseek, fd, 0, SEEK_END) == 8);
    CHECK(SYS(write, fd, "!", 1) == 1);
    CHECK(SYS(close, fd) == 0);
    CHECK(open_at("/tmp/new", O_CREAT | O_EXCL | O_RDWR) == -EEXIST);
    CHECK(SYS(mkdir, "/tmp/dir", 0755) == 0);
    CHECK(SYS(rename, "/tmp/new", "/tmp/dir/moved") == 0);
    CHECK(SYS(stat, "/tmp/new", &st) == -ENOENT);
    CHECK(SYS(symlink, "dir/moved", "/tmp/link") == 0);
    CHECK(SYS(readlink, "/tmp/link", buf, sizeof(buf)) == 9 && memcmp(buf, "dir/moved", 9) == 0);
    CHECK(SYS(link, "/tmp/dir/moved", "/tmp/hard") == 0);
    CHECK(SYS(stat, "/tmp/hard", &st) == 0 && st.st_nlink == 2);
    CHECK(SYS(rmdir, "/tmp/dir") == -ENOTEMPTY);
    CHECK(SYS(unlink, "/tmp/dir") == -EISDIR);
    CHECK(SYS(chmod, "/tmp/hard", 0600) == 0);
    CHECK(SYS(setxattr, "/tmp/hard", "user.k", "v", 1, 0) == 0);
    CHECK(SYS(getxattr, "/tmp/hard", "user.k", buf, sizeof(buf)) == 1 && buf[0] == 'v');
    step();
    await();
    CHECK(holds("/tmp/hard", "by the parent"));
    CHECK(SYS(stat, "/tmp/old", &st) == -ENOENT);
}

static void test_share_files_made_by_either_are_seen_by_both(void **state)
{
    char buf[8];
    struct stat st;
    pid_t pid;

    begin(state);
    put("/tmp/old", "before the fork");
    pid = spawn(child_files);
    await();
    assert_true(holds("/tmp/link", "from the!"));
    assert_true(holds("/tmp/hard", "from the!"));
    assert_int_equal(SYS(stat, "/tmp/new", &st), -ENOENT);
    assert_int_equal(SYS(stat, "/tmp/hard", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(SYS(getxattr, "/tmp/hard", "user.k", buf, sizeof(buf)), 1);
    put("/tmp/hard", "by the parent");
    assert_int_equal(SYS(unlink, "/tmp/old"), 0);
    step();
    end(pid);
}

static uint8_t g_big[400000];

static void child_big(void)
{
    int fd = open_at("/tmp/big", O_CREAT | O_RDWR);

    for (size_t i = 0; i < sizeof(g_big); i++) {
        g_big[i] = (uint8_t)(i * 13 + (i >> 12));
    }
    CHECK(SYS(write, fd, g_big, sizeof(g_big)) == (int64_t)sizeof(g_big));
    memset(g_big, 0, sizeof(g_big));
    CHECK(SYS(pread64, fd, g_big, sizeof(g_big), 0) == (int64_t)sizeof(g_big));
    CHECK(g_big[12345] == (uint8_t)(12345 * 13 + (12345 >> 12)));
}

static void test_share_large_transfers_in_many_messages(void **state)
{
    pid_t pid;
    int fd;

    begin(state);
    pid = spawn(child_big);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    fd = open_at("/tmp/big", O_RDONLY);
    assert_int_equal(SYS(read, fd, g_big, sizeof(g_big)), sizeof(g_big));
    for (size_t i = 0; i < sizeof(g_big); i++) {
        assert_int_equal(g_big[i], (uint8_t)(i * 13 + (i >> 12)));
    }
    assert_int_equal(SYS(close, fd), 0);
    end(pid);
}

/* ---- an open file that both have ---- */

static int g_fd;
static int g_append;

static void child_position(void)
{
    char buf[8];

    CHECK(SYS(read, g_fd, buf, 3) == 3 && memcmp(buf, "abc", 3) == 0);
    step();
    await();
    CHECK(SYS(read, g_fd, buf, 3) == 3 && memcmp(buf, "ghi", 3) == 0);
    CHECK(SYS(lseek, g_fd, 1, SEEK_SET) == 1);
    CHECK(SYS(write, g_append, "C", 1) == 1);
}

static void test_share_position_moves_for_both(void **state)
{
    char buf[8];
    siginfo_t info;
    pid_t pid;

    begin(state);
    put("/tmp/letters", "abcdefghi");
    put("/tmp/log", "");
    g_fd = open_at("/tmp/letters", O_RDONLY);
    g_append = open_at("/tmp/log", O_WRONLY | O_APPEND);
    pid = spawn(child_position);
    await();
    assert_int_equal(SYS(read, g_fd, buf, 3), 3);
    assert_memory_equal(buf, "def", 3);
    assert_int_equal(SYS(write, g_append, "P", 1), 1);
    step();
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(SYS(read, g_fd, buf, 2), 2);
    assert_memory_equal(buf, "bc", 2);
    assert_true(holds("/tmp/log", "PC"));
    end(pid);
}

static void child_unlinked(void)
{
    char buf[16];

    await();
    CHECK(SYS(pread64, g_fd, buf, sizeof(buf), 0) == 4 && memcmp(buf, "kept", 4) == 0);
    CHECK(open_at("/tmp/gone", O_RDONLY) == -ENOENT);
    CHECK(SYS(pwrite64, g_fd, "more", 4, 4) == 4);
    step();
    await();
}

static void test_share_unlinked_file_lives_while_a_child_has_it(void **state)
{
    pid_t pid;
    char buf[16];

    begin(state);
    put("/tmp/gone", "kept");
    g_fd = open_at("/tmp/gone", O_RDWR);
    pid = spawn(child_unlinked);
    assert_int_equal(SYS(unlink, "/tmp/gone"), 0);
    step();
    await();
    assert_int_equal(SYS(pread64, g_fd, buf, sizeof(buf), 0), 8);
    assert_int_equal(SYS(close, g_fd), 0);
    step();
    end(pid);
}

/* ---- pipes ---- */

static int g_pipe[2];

static void child_writes(void)
{
    CHECK(SYS(close, g_pipe[0]) == 0);
    CHECK(SYS(write, g_pipe[1], "hello", 5) == 5);
    for (size_t i = 0; i < sizeof(g_big); i++) {
        g_big[i] = (uint8_t)(i * 7);
    }
    CHECK(SYS(write, g_pipe[1], g_big, sizeof(g_big)) == (int64_t)sizeof(g_big));
}

static void test_share_pipe_from_child_to_parent_ends_with_it(void **state)
{
    char buf[8];
    size_t got = 0;
    pid_t pid;

    begin(state);
    assert_int_equal(SYS(pipe, g_pipe), 0);
    pid = spawn(child_writes);
    assert_int_equal(SYS(close, g_pipe[1]), 0);
    assert_int_equal(SYS(read, g_pipe[0], buf, 5), 5);
    assert_memory_equal(buf, "hello", 5);
    for (;;) {
        int64_t n = SYS(read, g_pipe[0], g_big + got, sizeof(g_big) - got);

        assert_true(n >= 0);
        if (n == 0) {
            break;
        }
        got += (size_t)n;
        if (got == sizeof(g_big)) {
            assert_int_equal(SYS(read, g_pipe[0], buf, 1), 0); /* end of file: the child is gone */
            break;
        }
    }
    assert_int_equal(got, sizeof(g_big));
    for (size_t i = 0; i < got; i++) {
        assert_int_equal(g_big[i], (uint8_t)(i * 7));
    }
    end(pid);
}

static void child_reads(void)
{
    char buf[16];
    size_t total = 0;
    int64_t n;

    CHECK(SYS(close, g_pipe[1]) == 0);
    CHECK(SYS(fcntl, g_pipe[0], F_SETFL, O_NONBLOCK) == 0);
    CHECK(SYS(read, g_pipe[0], buf, 1) == -EAGAIN);
    CHECK(SYS(fcntl, g_pipe[0], F_SETFL, 0) == 0);
    step();
    while ((n = SYS(read, g_pipe[0], buf, sizeof(buf))) > 0) {
        total += (size_t)n;
    }
    CHECK(n == 0 && total == 300);
}

static void test_share_pipe_to_a_child_that_waits(void **state)
{
    char text[100] = {1};
    pid_t pid;

    begin(state);
    assert_int_equal(SYS(pipe, g_pipe), 0);
    pid = spawn(child_reads);
    assert_int_equal(SYS(close, g_pipe[0]), 0);
    await();
    for (int i = 0; i < 3; i++) {
        usleep(20000);
        assert_int_equal(SYS(write, g_pipe[1], text, sizeof(text)), sizeof(text));
    }
    assert_int_equal(SYS(close, g_pipe[1]), 0);
    end(pid);
}

/* A request of a member that ended while it was served: what it would be granted stays free. */
static void test_share_nothing_is_kept_for_a_member_that_is_gone(void **state)
{
    const uint32_t member = g_next_member + 1;
    struct file *f;
    uint32_t handle = 0;
    uint32_t refs;
    pid_t pid;

    begin(state);
    assert_int_equal(SYS(pipe, g_pipe), 0);
    pid = spawn(child_reads);
    await();
    f = fd_get(g_pipe[1]);
    assert_non_null(f);
    refs = f->refs.count;
    assert_int_equal(home_grant_file(member, f, &handle), 0); /* the child gave its own back */
    assert_int_equal(f->refs.count, refs + 1);
    family_forget_member(member);
    assert_int_equal(f->refs.count, refs);
    assert_int_equal(home_grant_file(member, f, &handle), -ESRCH);
    assert_int_equal(home_grant_inode(member, f->inode, &handle), -ESRCH);
    assert_int_equal(home_arm(member, handle), -EBADF);
    assert_int_equal(f->refs.count, refs);
    file_put(f);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(g_to_child[1]);
    close(g_to_parent[0]);
    family_reset();
    fake_shutdown();
}

static void child_breaks(void)
{
    CHECK(SYS(close, g_pipe[0]) == 0);
    await();
    CHECK(SYS(write, g_pipe[1], "x", 1) == -EPIPE);
    CHECK(fake_last_signal() == SIGPIPE);
}

static void test_share_pipe_without_reader_is_broken(void **state)
{
    pid_t pid;

    begin(state);
    assert_int_equal(SYS(pipe, g_pipe), 0);
    pid = spawn(child_breaks);
    assert_int_equal(SYS(close, g_pipe[0]), 0);
    step();
    end(pid);
}

static void child_polls(void)
{
    struct {
        int fd;
        short events, revents;
    } p = {.fd = g_pipe[0], .events = 1};
    struct epoll_event ev = {.events = EPOLLIN, .data = 7};
    int ep = (int)SYS(epoll_create1, 0);
    char c;

    CHECK(SYS(close, g_pipe[1]) == 0);
    CHECK(SYS(poll, &p, 1, 0) == 0);
    step();
    CHECK(SYS(poll, &p, 1, -1) == 1 && p.revents == 1);
    CHECK(SYS(read, g_pipe[0], &c, 1) == 1);
    CHECK(SYS(epoll_ctl, ep, EPOLL_CTL_ADD, g_pipe[0], &ev) == 0);
    CHECK(SYS(epoll_wait, ep, &ev, 1, 0) == 0);
    step();
    CHECK(SYS(epoll_wait, ep, &ev, 1, 5000) == 1 && ev.data == 7);
    CHECK(SYS(read, g_pipe[0], &c, 1) == 1);
}

static void test_share_pipe_in_poll_and_epoll(void **state)
{
    pid_t pid;

    begin(state);
    assert_int_equal(SYS(pipe, g_pipe), 0);
    pid = spawn(child_polls);
    await();
    usleep(20000);
    assert_int_equal(SYS(write, g_pipe[1], "a", 1), 1);
    await();
    usleep(20000);
    assert_int_equal(SYS(write, g_pipe[1], "b", 1), 1);
    end(pid);
}

static void child_own_pipe(void)
{
    int p[2];
    int32_t n = 0;
    char buf[16];

    CHECK(SYS(pipe2, p, O_NONBLOCK) == 0);
    CHECK(SYS(read, p[0], buf, 1) == -EAGAIN);
    CHECK(SYS(write, p[1], "own", 3) == 3);
    CHECK(SYS(ioctl, p[0], 0x541b /* FIONREAD */, &n) == 0 && n == 3);
    CHECK(SYS(fcntl, p[0], 1032 /* F_GETPIPE_SZ */, 0) == 65536);
    CHECK(SYS(fcntl, p[0], 1031 /* F_SETPIPE_SZ */, 4096) == 4096);
    CHECK(SYS(read, p[0], buf, 16) == 3 && memcmp(buf, "own", 3) == 0);
    CHECK(SYS(lseek, p[0], 0, SEEK_CUR) == -ESPIPE);
    CHECK(SYS(close, p[1]) == 0);
    CHECK(SYS(read, p[0], buf, 1) == 0);
    CHECK(SYS(close, p[0]) == 0);
}

static void test_share_pipe_made_by_a_child(void **state)
{
    begin(state);
    end(spawn(child_own_pipe));
}

/* ---- locks ---- */

struct user_flock {
    int16_t type, whence;
    int32_t pad;
    int64_t start, len;
    int32_t pid, pad2;
};

static void child_locks(void)
{
    struct user_flock l = {.type = F_WRLCK};
    int fd = open_at("/tmp/locked", O_RDWR);

    CHECK(SYS(fcntl, fd, F_SETLK, &l) == -EAGAIN);
    CHECK(SYS(fcntl, fd, F_GETLK, &l) == 0 && l.type == F_WRLCK && l.pid == 1 && l.len == 10);
    l = (struct user_flock){.type = F_WRLCK, .start = 10, .len = 5};
    CHECK(SYS(fcntl, fd, F_SETLK, &l) == 0);
    CHECK(SYS(flock, fd, 2 | 4) == 0); /* a world of its own */
    step();
    l = (struct user_flock){.type = F_RDLCK, .start = 0, .len = 1};
    CHECK(SYS(fcntl, fd, F_SETLKW, &l) == 0); /* waits for the parent */
    step();
    await();
}

static void test_share_locks_between_processes(void **state)
{
    struct user_flock l = {.type = F_WRLCK, .len = 10};
    siginfo_t info;
    pid_t pid;
    int fd;

    begin(state);
    put("/tmp/locked", "0123456789");
    fd = open_at("/tmp/locked", O_RDWR);
    assert_int_equal(SYS(fcntl, fd, F_SETLK, &l), 0);
    pid = spawn(child_locks);
    await();
    l = (struct user_flock){.type = F_WRLCK, .start = 12, .len = 1};
    assert_int_equal(SYS(fcntl, fd, F_SETLK, &l), -EAGAIN);
    assert_int_equal(SYS(flock, fd, 2 | 4), -EAGAIN);
    usleep(20000);
    l = (struct user_flock){.type = F_UNLCK, .len = 10};
    assert_int_equal(SYS(fcntl, fd, F_SETLK, &l), 0);
    await();
    step();
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    usleep(50000);
    l = (struct user_flock){.type = F_WRLCK};
    assert_int_equal(SYS(fcntl, fd, F_SETLK, &l), 0); /* they went with the child */
    assert_int_equal(SYS(flock, fd, 2 | 4), 0);
    end(pid);
}

/* ---- directories ---- */

static void child_lists(void)
{
    char buf[2048];
    int fd = open_at("/tmp", O_RDONLY | O_DIRECTORY);
    int64_t n = SYS(getdents64, fd, buf, sizeof(buf));
    size_t count = 0;

    CHECK(n > 0);
    for (int64_t at = 0; at < n; at += *(uint16_t *)(void *)(buf + at + 16)) {
        count++;
    }
    CHECK(count == 2 + 3);
    CHECK(SYS(getdents64, fd, buf, sizeof(buf)) == 0);
    CHECK(SYS(chdir, "/tmp/c") == 0);
    CHECK(open_at("here", O_CREAT | O_WRONLY) >= 0);
    CHECK(SYS(getcwd, buf, sizeof(buf)) == 7 && strcmp(buf, "/tmp/c") == 0);
    CHECK(SYS(access, "/proc/self/status", 4) == 0);
    CHECK(open_at("/dev/null", O_RDWR) >= 0);
}

static void test_share_directories_and_working_directory(void **state)
{
    struct stat st;
    siginfo_t info;
    pid_t pid;

    begin(state);
    put("/tmp/a", "a");
    put("/tmp/b", "b");
    assert_int_equal(SYS(mkdir, "/tmp/c", 0777), 0);
    pid = spawn(child_lists);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(SYS(stat, "/tmp/c/here", &st), 0);
    end(pid);
}

/* ---- sockets ---- */

static int g_pair[2];
static struct {
    uint16_t family;
    char path[32];
} g_addr = {1, "/tmp/listener"};

struct scm {
    uint64_t len;
    int level, type;
    int fds[2];
};

/* struct user_msghdr of x86-64 */
struct hdr {
    void *name;
    uint32_t name_size, pad;
    void *iov;
    uint64_t iov_count;
    void *control;
    uint64_t control_size;
    uint32_t flags, pad2;
};

static int64_t send_fd(int sock, int fd)
{
    char c = 'f';
    struct {
        void *p;
        uint64_t n;
    } iov = {&c, 1};
    struct scm scm = {.len = 20, .level = 1, .type = 1, .fds = {fd}};
    struct hdr h = {.iov = &iov, .iov_count = 1, .control = &scm, .control_size = 20};

    return SYS(sendmsg, sock, &h, 0);
}

static int receive_fd(int sock)
{
    char c = 0;
    struct {
        void *p;
        uint64_t n;
    } iov = {&c, 1};
    struct scm scm = {0};
    struct hdr h = {.iov = &iov, .iov_count = 1, .control = &scm, .control_size = sizeof(scm)};

    return SYS(recvmsg, sock, &h, 0) == 1 && scm.len == 20 ? scm.fds[0] : -1;
}

static void child_sockets(void)
{
    char buf[32];
    int fd;
    int s;

    CHECK(SYS(close, g_pair[0]) == 0);
    CHECK(SYS(write, g_pair[1], "up", 2) == 2);
    CHECK(SYS(read, g_pair[1], buf, sizeof(buf)) == 4 && memcmp(buf, "down", 4) == 0);
    fd = open_at("/tmp/passed", O_CREAT | O_RDWR);
    CHECK(SYS(write, fd, "content", 7) == 7);
    CHECK(SYS(lseek, fd, 3, SEEK_SET) == 3);
    CHECK(send_fd(g_pair[1], fd) == 1);
    fd = receive_fd(g_pair[1]);
    CHECK(fd >= 0);
    CHECK(SYS(read, fd, buf, 4) == 4 && memcmp(buf, "back", 4) == 0);
    s = (int)SYS(socket, 1, 1, 0);
    CHECK(s >= 0);
    CHECK(SYS(connect, s, &g_addr, sizeof(g_addr)) == 0);
    CHECK(SYS(write, s, "client", 6) == 6);
    CHECK(SYS(read, s, buf, sizeof(buf)) == 6 && memcmp(buf, "server", 6) == 0);
    CHECK(SYS(read, s, buf, sizeof(buf)) == 0);
    CHECK(SYS(close, s) == 0);
    /* a server in the child */
    s = (int)SYS(socket, 1, 1, 0);
    (void)snprintf(g_addr.path, sizeof(g_addr.path), "%s", "/tmp/child");
    CHECK(SYS(bind, s, &g_addr, 2 + 11) == 0);
    CHECK(SYS(listen, s, 3) == 0);
    step();
    fd = (int)SYS(accept4, s, 0, 0, 0);
    CHECK(fd >= 0);
    CHECK(SYS(read, fd, buf, sizeof(buf)) == 2 && memcmp(buf, "hi", 2) == 0);
    int own[2];
    CHECK(SYS(socketpair, 1, 2, 0, own) == 0);
    CHECK(SYS(write, own[0], "dgram", 5) == 5);
    CHECK(SYS(read, own[1], buf, sizeof(buf)) == 5);
}

static void test_share_unix_sockets_and_descriptors(void **state)
{
    char buf[32];
    siginfo_t info;
    int s;
    int fd;
    pid_t pid;

    begin(state);
    (void)snprintf(g_addr.path, sizeof(g_addr.path), "%s", "/tmp/listener");
    assert_int_equal(SYS(socketpair, 1, 1, 0, g_pair), 0);
    s = (int)SYS(socket, 1, 1, 0);
    assert_int_equal(SYS(bind, s, &g_addr, 2 + 14), 0);
    assert_int_equal(SYS(listen, s, 5), 0);
    pid = spawn(child_sockets);
    assert_int_equal(SYS(close, g_pair[1]), 0);
    assert_int_equal(SYS(read, g_pair[0], buf, sizeof(buf)), 2);
    assert_int_equal(SYS(write, g_pair[0], "down", 4), 4);
    fd = receive_fd(g_pair[0]);
    assert_true(fd >= 0);
    assert_int_equal(SYS(read, fd, buf, sizeof(buf)), 4);
    assert_memory_equal(buf, "tent", 4);
    put("/tmp/other", "back");
    fd = open_at("/tmp/other", O_RDONLY);
    assert_int_equal(send_fd(g_pair[0], fd), 1);
    fd = (int)SYS(accept4, s, 0, 0, 0);
    assert_true(fd >= 0);
    assert_int_equal(SYS(read, fd, buf, sizeof(buf)), 6);
    assert_int_equal(SYS(write, fd, "server", 6), 6);
    assert_int_equal(SYS(close, fd), 0);
    await();
    fd = (int)SYS(socket, 1, 1, 0);
    (void)snprintf(g_addr.path, sizeof(g_addr.path), "%s", "/tmp/child");
    assert_int_equal(SYS(connect, fd, &g_addr, 2 + 11), 0);
    assert_int_equal(SYS(write, fd, "hi", 2), 2);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    usleep(50000);
    assert_int_equal(SYS(read, g_pair[0], buf, sizeof(buf)), 0); /* its peer is gone */
    end(pid);
}

/* ---- above a read-only file system ---- */

static char g_host[] = "/tmp/nacre-share-XXXXXX";

static void host_put(const char *name, const char *text)
{
    char path[128];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s", g_host, name);
    f = fopen(path, "w");
    assert_non_null(f);
    (void)fputs(text, f);
    (void)fclose(f);
}

static void child_lower(void)
{
    struct stat st;
    char buf[8];
    int held = open_at("/lib/held", O_RDONLY);

    CHECK(holds("/lib/a", "lower a") && holds("/lib/b", "lower b"));
    CHECK(SYS(stat, "/lib/a", &st) == 0 && (st.st_mode & 0777) == 0644);
    CHECK(SYS(stat, "/lib/none", &st) == -ENOENT);
    CHECK(SYS(access, "/lib/b", 4) == 0);
    step();
    await(); /* the parent changed all of it */
    CHECK(holds("/lib/a", "by the parent"));
    CHECK(SYS(stat, "/lib/a", &st) == 0 && st.st_size == 13);
    CHECK(holds("/lib/none", "new"));
    CHECK(SYS(stat, "/lib/b", &st) == -ENOENT);
    CHECK(holds("/lib/moved", "lower b"));
    CHECK(SYS(stat, "/lib/moved", &st) == 0 && (st.st_mode & 0777) == 0600);
    CHECK(SYS(pread64, held, buf, 8, 0) == 4 && memcmp(buf, "HELD", 4) == 0);
    /* now the child */
    put("/lib/sub/deep", "by the child");
    CHECK(SYS(unlink, "/lib/c") == 0);
    CHECK(SYS(chmod, "/lib/held", 0400) == 0);
    int fd = open_at("/lib/sub/log", O_WRONLY | O_APPEND);
    CHECK(fd >= 0 && SYS(write, fd, "+", 1) == 1);
    CHECK(holds("/lib/sub/log", "log+"));
    step();
    await();
    CHECK(holds("/other/x", "lower x"));
    CHECK(SYS(rename, "/other/x", "/lib/x") == 0);
    CHECK(holds("/lib/x", "lower x"));
}

static void test_share_changes_above_a_lower_file_system_reach_everybody(void **state)
{
    char command[160];
    struct stat st;
    int root;
    int fd;
    pid_t pid;

    assert_non_null(mkdtemp(g_host));
    (void)snprintf(command, sizeof(command), "mkdir -p %s/lib/sub %s/other %s/tmp", g_host, g_host,
                   g_host);
    assert_int_equal(system(command), 0);
    host_put("lib/a", "lower a");
    host_put("lib/b", "lower b");
    host_put("lib/c", "lower c");
    host_put("lib/held", "held");
    host_put("lib/sub/log", "log");
    host_put("other/x", "lower x");
    root = open(g_host, 0200000 /* O_DIRECTORY */);
    fake_boot(root, 1);
    pid = spawn(child_lower);
    await();
    put("/lib/a", "by the parent");
    put("/lib/none", "new");
    assert_int_equal(SYS(rename, "/lib/b", "/lib/moved"), 0);
    assert_int_equal(SYS(chmod, "/lib/moved", 0600), 0);
    fd = open_at("/lib/held", O_RDWR);
    assert_int_equal(SYS(pwrite64, fd, "HELD", 4, 0), 4);
    assert_int_equal(SYS(close, fd), 0);
    step();
    await();
    assert_true(holds("/lib/sub/deep", "by the child"));
    assert_true(holds("/lib/sub/log", "log+"));
    assert_int_equal(SYS(stat, "/lib/c", &st), -ENOENT);
    assert_int_equal(SYS(stat, "/lib/held", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0400);
    step();
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_true(holds("/lib/x", "lower x"));
    assert_int_equal(SYS(stat, "/other/x", &st), -ENOENT);
    end(pid);
    (void)snprintf(command, sizeof(command), "rm -rf %s", g_host);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_share_files_made_by_either_are_seen_by_both),
        cmocka_unit_test(test_share_large_transfers_in_many_messages),
        cmocka_unit_test(test_share_position_moves_for_both),
        cmocka_unit_test(test_share_unlinked_file_lives_while_a_child_has_it),
        cmocka_unit_test(test_share_pipe_from_child_to_parent_ends_with_it),
        cmocka_unit_test(test_share_pipe_to_a_child_that_waits),
        cmocka_unit_test(test_share_nothing_is_kept_for_a_member_that_is_gone),
        cmocka_unit_test(test_share_pipe_without_reader_is_broken),
        cmocka_unit_test(test_share_pipe_in_poll_and_epoll),
        cmocka_unit_test(test_share_pipe_made_by_a_child),
        cmocka_unit_test(test_share_locks_between_processes),
        cmocka_unit_test(test_share_directories_and_working_directory),
        cmocka_unit_test(test_share_unix_sockets_and_descriptors),
        cmocka_unit_test(test_share_changes_above_a_lower_file_system_reach_everybody),
    };

    return cmocka_run_group_tests_name("share", tests, NULL, NULL);
}
