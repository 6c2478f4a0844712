/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* umask, set-group-id directories, the sticky bit, chmod by every name, mknod. */
#include <sys/sysmacros.h>

#include "app.h"

static void show_mode(const char *name)
{
    struct stat st;

    if (lstat(name, &st) < 0) {
        printf("%s: %s\n", name, strerrorname_(errno));
    } else {
        printf("%s: %o nlink %lu\n", name, st.st_mode, (unsigned long)st.st_nlink);
    }
}

int main(void)
{
    int fd;

    scratch();
    printf("umask %o\n", umask(027));
    printf("umask %o\n", umask(0777 + 01000));
    printf("umask keeps permission bits only %o\n", umask(027));
    make("a", "");
    show_mode("a");
    SHOW(mkdir("d", 0777));
    show_mode("d");
    SHOW(mkdir("sticky", 01777));
    show_mode("sticky");
    SHOW(chmod("d", 02775));
    SHOW(mkdir("d/sub", 0700)); /* inherits the set-group-id bit */
    show_mode("d/sub");
    close(open("d/file", O_CREAT | O_WRONLY, 02777));
    show_mode("d/file");
    SHOW(mknod("fifo", S_IFIFO | 0666, 0));
    show_mode("fifo");
    SHOW(mknod("plain", 0666, 0));
    show_mode("plain");
    SHOW(mknod("sock", S_IFSOCK | 0600, 0));
    show_mode("sock");
    SHOW(mknod("plain", S_IFREG | 0600, 0));
    SHOW(mknod("dir", S_IFDIR | 0700, 0));
    SHOW(mknodat(AT_FDCWD, "bad", S_IFMT | 0700, 0));
    SHOW(symlink("a", "l"));
    SHOW(chmod("l", 0604));
    show_mode("a");
    show_mode("l");
    fd = open("a", O_RDONLY);
    SHOW(fchmod(fd, 04711));
    show_mode("a");
    SHOW(fchmodat(AT_FDCWD, "a", 0600, 0));
    show_mode("a");
    SHOW(chmod("nothing", 0600));
    SHOW(fchmod(-1, 0600));
    /* writing as somebody without privilege clears set-user-id; truncation, too */
    SHOW(chmod("a", 0170000 | 0644));
    show_mode("a");
    SHOW(rmdir("d"));
    SHOW(unlink("d"));
    SHOW(rmdir("a"));
    return 0;
}
