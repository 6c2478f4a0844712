/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* args: one two three */
/* env: NACRE_X=y */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    printf("argc %d\n", argc);
    for (int i = 1; i < argc; i++) {
        printf("argv[%d] %s\n", i, argv[i]);
    }
    printf("terminated %d\n", argv[argc] == NULL);
    printf("HOME %s NACRE_X %s\n", getenv("HOME"), getenv("NACRE_X"));
    /* strings stand one behind the other, ascending, as Linux lays them out */
    printf("packed %d\n", argv[1] + strlen(argv[1]) + 1 == argv[2]);
    return 42;
}
