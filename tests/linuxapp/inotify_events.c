/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* inotify reports what happens to files. */
#include <sys/inotify.h>

#include "app.h"

int main(void)
{
    scratch();
    char buf[4096];
    int in = inotify_init1(IN_NONBLOCK);

    mkdir("d", 0755);
    SHOW(inotify_add_watch(in, "d", IN_ALL_EVENTS));
    SHOW(inotify_add_watch(in, "none", IN_ALL_EVENTS));
    SHOW(inotify_add_watch(in, "d", 0));
    make("d/f", "x");
    rename("d/f", "d/g");
    chmod("d/g", 0600);
    mkdir("d/sub", 0755);
    rmdir("d/sub");
    unlink("d/g");
    ssize_t n = read(in, buf, sizeof(buf));
    for (char *p = buf; p < buf + n;) {
        struct inotify_event *e = (void *)p;

        printf("%08x %s %d\n", e->mask, e->len > 0 ? e->name : "-", e->cookie != 0);
        p += sizeof(*e) + e->len;
    }
    SHOW(inotify_rm_watch(in, 1));
    SHOW(inotify_rm_watch(in, 1));
    SHOW(read(in, buf, sizeof(buf)));
    SHOW(read(in, buf, 4));
    return 0;
}
