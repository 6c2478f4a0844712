/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* inotify: moves and their cookies, masks added, oneshot, deletion, the watch's end, small reads.
 */
#include <sys/inotify.h>
#include <sys/ioctl.h>

#include "app.h"

static int g_fd;
static unsigned g_cookie;

static void events(const char *what)
{
    char buf[4096] __attribute__((aligned(8)));
    ssize_t n = read(g_fd, buf, sizeof(buf));

    printf("-- %s\n", what);
    for (ssize_t at = 0; at < n;) {
        const struct inotify_event *e = (void *)(buf + at);

        printf("%d %x %s%s", e->wd, e->mask & ~0x40000000u, e->len > 0 ? e->name : "(itself)",
               (e->mask & IN_ISDIR) != 0 ? " dir" : "");
        if (e->cookie != 0) {
            printf("%s", e->cookie == g_cookie ? " the same move" : " a move");
            g_cookie = e->cookie;
        }
        printf("\n");
        at += (ssize_t)sizeof(*e) + e->len;
    }
    if (n < 0) {
        printf("none: %s\n", strerrorname_(errno));
    }
}

int main(void)
{
    char tiny[4];
    int one;
    int two;
    int f;
    int waiting = 0;

    scratch();
    g_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    SHOW(mkdir("one", 0700) | mkdir("two", 0700));
    SHOW(one = inotify_add_watch(g_fd, "one", IN_ALL_EVENTS));
    SHOW(two = inotify_add_watch(g_fd, "two", IN_MOVED_TO | IN_ONLYDIR));
    make("one/a", "text");
    events("made");
    SHOW(rename("one/a", "two/b"));
    events("moved over");
    SHOW(rename("two/b", "one/c"));
    events("moved back");
    SHOW(inotify_add_watch(g_fd, "two", IN_CREATE | IN_MASK_ADD) == two);
    SHOW(inotify_add_watch(g_fd, "two", IN_CREATE | IN_MASK_CREATE));
    SHOW(mkdir("two/sub", 0700));
    events("added to the mask");
    SHOW(f = inotify_add_watch(g_fd, "one/c", IN_ATTRIB | IN_ONESHOT));
    SHOW(chmod("one/c", 0600));
    SHOW(chmod("one/c", 0640));
    events("oneshot");
    SHOW(inotify_rm_watch(g_fd, f));
    /* outside of watched directories: the order between the two differs by version of Linux */
    make("self", "");
    SHOW(f = inotify_add_watch(g_fd, "self", IN_DELETE_SELF | IN_ATTRIB | IN_MOVE_SELF));
    SHOW(link("self", "second"));
    SHOW(rename("self", "moved"));
    SHOW(unlink("second"));
    SHOW(unlink("moved"));
    events("renamed and deleted");
    SHOW(rmdir("two/sub"));
    SHOW(rmdir("two"));
    events("a watched directory is gone");
    SHOW(inotify_rm_watch(g_fd, one));
    events("removed");
    SHOW(inotify_rm_watch(g_fd, one));
    SHOW(inotify_add_watch(g_fd, "one", 0));
    SHOW(inotify_add_watch(g_fd, "nothing", IN_OPEN));
    make("file", "");
    SHOW(inotify_add_watch(g_fd, "file", IN_OPEN | IN_ONLYDIR));
    SHOW(inotify_add_watch(0, "file", IN_OPEN) < 0);
    SHOW(inotify_add_watch(g_fd, "one", IN_CREATE) > 0);
    make("one/x", "");
    SHOW(ioctl(g_fd, FIONREAD, &waiting));
    printf("waiting %d\n", waiting);
    SHOW(read(g_fd, tiny, sizeof(tiny)));
    events("still there");
    SHOW(write(g_fd, "x", 1));
    return 0;
}
