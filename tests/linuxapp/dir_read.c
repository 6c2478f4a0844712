/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* readdir, telldir, seekdir, rewinddir over 500 entries. */
#include <dirent.h>

#include "app.h"

int main(void)
{
    scratch();
    char name[16];
    int seen = 0;
    long at = 0;
    struct dirent *e;

    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof(name), "f%03d", i);
        make(name, "");
    }
    DIR *d = opendir(".");

    while ((e = readdir(d)) != NULL) {
        seen++;
        if (seen == 100) {
            at = telldir(d);
        }
    }
    SHOW(seen);
    seekdir(d, at);
    for (seen = 0; (e = readdir(d)) != NULL; seen++) {
    }
    SHOW(seen);
    rewinddir(d);
    for (seen = 0; (e = readdir(d)) != NULL; seen++) {
        if (e->d_name[0] == 'f') {
            unlink(e->d_name);
        }
    }
    SHOW(seen);
    closedir(d);
    d = opendir(".");
    for (seen = 0; (e = readdir(d)) != NULL; seen++) {
        printf("%d ", e->d_type == DT_DIR);
    }
    SHOW(seen);
    return 0;
}
