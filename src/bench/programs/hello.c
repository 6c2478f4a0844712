/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* The smallest program that does something: what starting costs. */
#include <unistd.h>

int main(void)
{
    static const char text[] = "hello\n";

    return write(STDOUT_FILENO, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1 ? 0 : 1;
}
