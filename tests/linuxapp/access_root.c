/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* access and faccessat2. */
#include "app.h"

int main(void)
{
    scratch();
    make("f", "");
    chmod("f", 0);
    SHOW(access("f", R_OK | W_OK));
    SHOW(access("f", X_OK));
    chmod("f", 0100);
    SHOW(access("f", X_OK));
    SHOW(access("none", F_OK));
    SHOW(access("f", 64));
    SHOW(faccessat(AT_FDCWD, "f", R_OK, AT_EACCESS));
    SHOW(access("f/x", F_OK));
    SHOW(access("/proc/version", R_OK));
    return 0;
}
