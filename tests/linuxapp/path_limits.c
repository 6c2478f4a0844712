/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Long names and long paths. */
#include "app.h"

int main(void)
{
    scratch();
    char name[300], path[5000];

    memset(name, 'n', sizeof(name));
    name[255] = '\0';
    SHOW(mkdir(name, 0755));
    SHOW(rmdir(name));
    name[255] = 'n';
    name[256] = '\0';
    SHOW(mkdir(name, 0755));
    memset(path, '/', sizeof(path));
    path[4095] = '\0';
    SHOW(access(path, F_OK));
    path[4095] = '/';
    path[4999] = '\0';
    SHOW(access(path, F_OK));
    path[0] = '\0';
    for (int i = 0; i < 2040; i++) {
        strcat(path, "./");
    }
    SHOW(access(path, F_OK));
    SHOW(access("//tmp//../tmp/.", F_OK));
    SHOW(access("/../../..", F_OK));
    return 0;
}
