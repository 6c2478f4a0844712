/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Reading directories: places, rewinding, changes meanwhile, small buffers, raw records. */
#include <dirent.h>
#include <sys/syscall.h>

#include "app.h"

struct linux_dirent64 {
    unsigned long ino;
    long off;
    unsigned short reclen;
    unsigned char type;
    char name[];
};

static int count(DIR *d)
{
    int n = 0;

    while (readdir(d) != NULL) {
        n++;
    }
    return n;
}

int main(void)
{
    char name[64];
    char buf[4096];
    long places[64];
    char names[64][16];
    int n = 0;
    int same = 0;
    struct dirent *e;
    DIR *d;
    int fd;

    scratch();
    for (int i = 0; i < 40; i++) {
        (void)snprintf(name, sizeof(name), "file-%02d", i);
        make(name, "");
    }
    d = opendir(".");
    printf("all %d\n", count(d));
    rewinddir(d);
    printf("again %d\n", count(d));
    rewinddir(d);
    for (;;) {
        places[n] = telldir(d);
        e = readdir(d);
        if (e == NULL) {
            break;
        }
        (void)snprintf(names[n], sizeof(names[n]), "%.15s", e->d_name);
        n++;
    }
    for (int i = n - 1; i >= 0; i--) {
        seekdir(d, places[i]);
        e = readdir(d);
        same += e != NULL && strncmp(e->d_name, names[i], 15) == 0;
    }
    printf("places lead back %d of %d\n", same, n);
    seekdir(d, places[n]);
    printf("the end is empty %d\n", readdir(d) == NULL);

    /* everything is deleted while it is read: nothing is seen twice, nothing breaks */
    rewinddir(d);
    n = 0;
    while ((e = readdir(d)) != NULL) {
        if (e->d_name[0] == 'f') {
            n += unlink(e->d_name) == 0;
        }
    }
    printf("deleted %d\n", n);
    rewinddir(d);
    printf("left %d\n", count(d));
    make("late", "");
    rewinddir(d);
    printf("after rewinding the new one is there %d\n", count(d));
    closedir(d);

    fd = open(".", O_RDONLY | O_DIRECTORY);
    SHOW(syscall(SYS_getdents64, fd, buf, 8));
    SHOW(syscall(SYS_getdents64, fd, NULL, 4096));
    n = 0;
    for (long r; (r = syscall(SYS_getdents64, fd, buf, 24)) > 0;) {
        const struct linux_dirent64 *raw = (void *)buf;

        n++;
        printf("record of %d bytes, aligned %d\n", raw->reclen, raw->reclen % 8 == 0);
    }
    SHOW(syscall(SYS_getdents64, fd, buf, sizeof(buf)));
    SHOW(lseek(fd, 0, SEEK_SET));
    SHOW(syscall(SYS_getdents64, fd, buf, sizeof(buf)) > 0);
    SHOW(syscall(SYS_getdents64, 0, buf, sizeof(buf)) < 0);
    /* a directory that is gone */
    mkdir("gone", 0700);
    close(fd);
    fd = open("gone", O_RDONLY | O_DIRECTORY);
    rmdir("gone");
    SHOW(syscall(SYS_getdents64, fd, buf, sizeof(buf)));
    SHOW(openat(fd, "x", O_CREAT | O_WRONLY, 0600));
    return 0;
}
