/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* inotify across processes: watches of the parent's hear what a child does, those of a child hear
 * its parent, and an inherited descriptor is one queue for both. */
#include <poll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "app.h"

static void show(const char *who, int fd)
{
    char buf[4096] __attribute__((aligned(8)));
    struct pollfd p = {.fd = fd, .events = POLLIN};

    while (poll(&p, 1, 0) == 1) {
        const ssize_t n = read(fd, buf, sizeof(buf));

        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *e = (const struct inotify_event *)(buf + at);

            printf("%s: wd %d mask %x name [%s]\n", who, e->wd, e->mask, e->len > 0 ? e->name : "");
            at += (ssize_t)(sizeof(*e) + e->len);
        }
    }
    fflush(stdout);
}

static pid_t begin(void)
{
    fflush(stdout);
    return fork();
}

static void finish(pid_t pid)
{
    int st;

    waitpid(pid, &st, 0);
    printf("child: status %d\n", WEXITSTATUS(st));
    fflush(stdout);
}

static void change(const char *prefix)
{
    char a[32];
    char b[32];
    char c;

    snprintf(a, sizeof(a), "%s-a", prefix);
    snprintf(b, sizeof(b), "%s-b", prefix);
    int fd = open(a, O_CREAT | O_RDWR, 0644);

    OK(write(fd, "text", 4));
    OK(pread(fd, &c, 1, 0));
    OK(close(fd));
    OK(chmod(a, 0600));
    OK(truncate(a, 2));
    OK(rename(a, b));
    OK(unlink(b));
    OK(mkdir(a, 0755));
    OK(rmdir(a));
}

#define MASK                                                                                      \
    (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_MODIFY | IN_OPEN | \
     IN_ATTRIB | IN_ACCESS)

int main(void)
{
    int go[2];
    int back[2];
    int pending = 0;
    char c;

    scratch();
    OK(mkdir("d", 0755));
    make("f", "old");
    OK(chdir("d"));
    /* of the parent's: what a child does */
    int in = inotify_init1(IN_NONBLOCK);

    SHOW(inotify_add_watch(in, ".", MASK));
    SHOW(inotify_add_watch(in, "../f", IN_ALL_EVENTS));
    pid_t pid = begin();

    if (pid == 0) {
        change("child");
        int fd = open("../f", O_WRONLY | O_APPEND);

        OK(write(fd, "new", 3));
        OK(close(fd));
        fflush(stdout);
        _exit(0);
    }
    finish(pid);
    show("parent", in);
    /* inherited: the child takes what is there, the parent finds nothing */
    change("own");
    pid = begin();
    if (pid == 0) {
        OK(ioctl(in, FIONREAD, &pending));
        printf("child: pending %d\n", pending > 0);
        show("child", in);
        SHOW(inotify_rm_watch(in, 2));
        SHOW(inotify_rm_watch(in, 2));
        SHOW(inotify_add_watch(in, "..", IN_CREATE));
        fflush(stdout);
        _exit(0);
    }
    finish(pid);
    make("../g", "");
    show("parent", in);
    SHOW(inotify_rm_watch(in, 7));
    close(in);
    /* of the child's: what its parent does, waiting */
    OK(pipe(go));
    OK(pipe(back));
    pid = begin();
    if (pid == 0) {
        in = inotify_init();
        SHOW(inotify_add_watch(in, ".", MASK));
        SHOW(inotify_add_watch(in, ".", IN_CREATE | IN_MASK_CREATE));
        SHOW(inotify_add_watch(in, "/proc", IN_CREATE));
        SHOW(inotify_add_watch(in, "missing", IN_CREATE));
        SHOW(inotify_add_watch(go[0], ".", IN_CREATE));
        fflush(stdout);
        (void)!write(back[1], "x", 1);
        struct pollfd p = {.fd = in, .events = POLLIN};

        printf("child: woken %d\n", poll(&p, 1, 20000));
        (void)!read(go[0], &c, 1);
        show("child", in);
        (void)!write(back[1], "x", 1);
        _exit(0);
    }
    OK(read(back[0], &c, 1));
    change("parent");
    OK(write(go[1], "x", 1));
    OK(read(back[0], &c, 1));
    finish(pid);
    return 0;
}
