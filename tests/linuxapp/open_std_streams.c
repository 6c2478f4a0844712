/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* /dev/stdout and /dev/stderr as log files: opened as servers open them, O_CREAT included. */
/* stdin: what it reads */
#include "app.h"

static void line(const char *path, int flags)
{
    int fd = open(path, flags, 0644);

    printf("%s %#x: %s\n", path, (unsigned)flags, fd < 0 ? strerrorname_(errno) : "ok");
    fflush(stdout);
    if (fd >= 0) {
        SHOW(write(fd, "logged\n", 7));
        fflush(stdout);
        close(fd);
    }
}

int main(void)
{
    const char *const paths[] = {"/dev/stdout", "/dev/stderr", "/proc/self/fd/1", "/dev/fd/1",
                                 "/proc/thread-self/fd/2"};
    const int modes[] = {O_WRONLY, O_WRONLY | O_APPEND, O_WRONLY | O_APPEND | O_CREAT,
                         O_WRONLY | O_CREAT | O_TRUNC};

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        for (size_t k = 0; k < sizeof(modes) / sizeof(modes[0]); k++) {
            line(paths[i], modes[k]);
        }
    }
    int fd = open("/dev/stdin", O_RDONLY | O_CREAT, 0644);
    char buf[16] = {0};

    SHOW(read(fd, buf, 15));
    puts(buf);
    scratch();
    SHOW(symlink("/dev/stdout", "log"));
    OK(open("log", O_WRONLY | O_CREAT | O_APPEND, 0644));
    SHOW(open("log", O_WRONLY | O_CREAT | O_EXCL, 0644));
    SHOW(symlink("/", "root"));
    SHOW(open("root", O_WRONLY | O_CREAT, 0644));
    return 0;
}
