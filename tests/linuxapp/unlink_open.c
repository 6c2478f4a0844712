/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* A file without a name lives on. */
#include "app.h"

int main(void)
{
    scratch();
    struct stat st;
    char buf[8] = {0};

    make("f", "still");
    int fd = open("f", O_RDWR);

    SHOW(unlink("f"));
    SHOW(unlink("f"));
    SHOW(fstat(fd, &st));
    SHOW(st.st_nlink);
    SHOW(read(fd, buf, 5));
    puts(buf);
    SHOW(write(fd, "!", 1));
    make("f", "new");
    SHOW(lseek(fd, 0, SEEK_END));
    show_file("f");
    return 0;
}
