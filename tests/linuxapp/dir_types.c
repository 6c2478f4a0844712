/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* d_type of everything. */
#include <dirent.h>

#include "app.h"

int main(void)
{
    scratch();
    struct dirent **list;

    make("file", "");
    mkdir("dir", 0755);
    symlink("file", "link");
    mkfifo("fifo", 0600);
    mknod("sock", S_IFSOCK | 0600, 0);
    int n = scandir(".", &list, NULL, alphasort);

    for (int i = 0; i < n; i++) {
        printf("%s %d\n", list[i]->d_name, list[i]->d_type);
    }
    return 0;
}
