/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Reading standard input to its end. */
/* stdin: first line\nsecond line\n */
#include "app.h"

int main(void)
{
    scratch();
    char buf[256];
    ssize_t n, total = 0;
    struct stat st;

    fstat(0, &st);
    SHOW(S_ISFIFO(st.st_mode));
    while ((n = read(0, buf, sizeof(buf))) > 0) {
        total += n;
        fwrite(buf, 1, (size_t)n, stdout);
    }
    SHOW(total);
    SHOW(lseek(0, 0, SEEK_CUR));
    int again = open("/dev/stdout", O_WRONLY);
    fflush(stdout);
    dprintf(again, "through /dev/stdout\n");
    return 0;
}
