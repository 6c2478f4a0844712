/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* O_PATH: what such a descriptor does, and what it refuses. */
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/xattr.h>

#include "app.h"

int main(void)
{
    struct stat st;
    char buf[64];
    char link[64];
    int f;
    int l;
    int d;
    int again;

    scratch();
    make("file", "content");
    SHOW(symlink("file", "link"));
    SHOW(mkdir("dir", 0700));
    make("dir/inner", "inner");
    f = open("file", O_PATH | O_RDWR | O_TRUNC | O_APPEND);
    l = open("link", O_PATH | O_NOFOLLOW);
    d = open("dir", O_PATH);
    printf("flags %o %o\n", fcntl(f, F_GETFL) & ~0100000, fcntl(l, F_GETFL) & ~0100000);
    SHOW(read(f, buf, 1));
    SHOW(write(f, buf, 1));
    SHOW(lseek(f, 0, SEEK_SET));
    SHOW(ftruncate(f, 0));
    SHOW(fchmod(f, 0600));
    SHOW(fchown(f, -1, -1));
    SHOW(fsync(f));
    SHOW(ioctl(f, FIONREAD, buf));
    SHOW(fgetxattr(f, "user.x", buf, 1));
    SHOW(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, f, 0) == MAP_FAILED ? -1 : 0);
    SHOW(fstat(f, &st));
    printf("regular %d size %ld\n", S_ISREG(st.st_mode), (long)st.st_size);
    SHOW(fstat(l, &st));
    printf("symlink %d\n", S_ISLNK(st.st_mode));
    SHOW(readlinkat(l, "", buf, sizeof(buf)));
    SHOW(openat(d, "inner", O_RDONLY) >= 0);
    SHOW(fchdir(d));
    SHOW(access("inner", R_OK));
    SHOW(chdir(".."));
    again = fcntl(f, F_DUPFD_CLOEXEC, 50);
    printf("dup %d cloexec %d\n", again, fcntl(again, F_GETFD));
    /* through /proc it can be opened for real */
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", f);
    again = open(link, O_RDONLY);
    SHOW(read(again, buf, 7));
    SHOW(chmod(link, 0640));
    SHOW(stat("file", &st));
    printf("mode %o\n", st.st_mode & 0777);
    SHOW(linkat(f, "", AT_FDCWD, "hard", AT_EMPTY_PATH) == 0 || errno == ENOENT);
    SHOW(linkat(AT_FDCWD, link, AT_FDCWD, "hard2", AT_SYMLINK_FOLLOW));
    SHOW(unlink("file"));
    SHOW(fstat(f, &st));
    show_file("hard2");
    SHOW(open("nothing", O_PATH | O_CREAT, 0600));
    SHOW(open("hard2", O_PATH | O_DIRECTORY));
    SHOW(fcntl(f, F_SETFL, O_NONBLOCK));
    return 0;
}
