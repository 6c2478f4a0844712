/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* sendfile and copy_file_range. */
#include <sys/sendfile.h>

#include "app.h"

int main(void)
{
    scratch();
    char buf[16] = {0};
    off_t off = 2;
    loff_t in = 1, out = 3;

    make("f", "0123456789");
    int f = open("f", O_RDONLY);
    int g = open("g", O_CREAT | O_RDWR, 0600);
    SHOW(sendfile(g, f, NULL, 4));
    SHOW(lseek(f, 0, SEEK_CUR));
    SHOW(sendfile(g, f, &off, 3));
    SHOW(off);
    SHOW(lseek(f, 0, SEEK_CUR));
    show_file("g");
    SHOW(copy_file_range(f, &in, g, &out, 4, 0));
    SHOW(in);
    SHOW(out);
    show_file("g");
    SHOW(copy_file_range(f, NULL, g, NULL, 100, 0));
    show_file("g");
    SHOW(copy_file_range(f, NULL, g, NULL, 1, 9));
    int p[2];
    pipe(p);
    SHOW(sendfile(p[1], f, &(off_t){0}, 5));
    SHOW(read(p[0], buf, 16));
    puts(buf);
    SHOW(sendfile(f, f, NULL, 1));
    return 0;
}
