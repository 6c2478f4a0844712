/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* prctl: what processes without privileges use. */
#include <linux/capability.h>
#include <signal.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "app.h"

int main(void)
{
    char name[32] = "";
    int sig = -1;
    int flag = -1;

    SHOW(prctl(PR_SET_NAME, "a rather long process name"));
    SHOW(prctl(PR_GET_NAME, name));
    puts(name);
    SHOW(prctl(PR_SET_NAME, NULL));
    SHOW(prctl(PR_SET_PDEATHSIG, SIGTERM));
    SHOW(prctl(PR_GET_PDEATHSIG, &sig));
    printf("%d\n", sig);
    SHOW(prctl(PR_SET_PDEATHSIG, 99));
    SHOW(prctl(PR_SET_PDEATHSIG, 0));
    SHOW(prctl(PR_GET_DUMPABLE));
    SHOW(prctl(PR_SET_DUMPABLE, 0));
    SHOW(prctl(PR_GET_DUMPABLE));
    SHOW(prctl(PR_SET_DUMPABLE, 7));
    SHOW(prctl(PR_SET_DUMPABLE, 1));
    SHOW(prctl(PR_GET_KEEPCAPS));
    SHOW(prctl(PR_SET_KEEPCAPS, 1));
    SHOW(prctl(PR_GET_KEEPCAPS));
    SHOW(prctl(PR_SET_KEEPCAPS, 2));
    SHOW(prctl(PR_SET_CHILD_SUBREAPER, 1));
    SHOW(prctl(PR_GET_CHILD_SUBREAPER, &flag));
    printf("%d\n", flag);
    SHOW(prctl(PR_GET_TIMERSLACK) > 0);
    SHOW(prctl(PR_SET_TIMERSLACK, 60000));
    SHOW(prctl(PR_GET_TIMERSLACK));
    SHOW(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    SHOW(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    SHOW(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
    SHOW(prctl(PR_GET_SECCOMP));
    SHOW(prctl(PR_CAPBSET_READ, 999));
    SHOW(prctl(99999, 0, 0, 0, 0));
    SHOW(personality(0xffffffff));
    SHOW(personality(ADDR_NO_RANDOMIZE));
    SHOW(personality(0xffffffff) == ADDR_NO_RANDOMIZE);
    SHOW(personality(0) == ADDR_NO_RANDOMIZE);

    struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct d[2];
    SHOW(syscall(SYS_capget, &h, d));
    h.version = 1;
    SHOW(syscall(SYS_capget, &h, d));
    printf("version told %d\n", h.version == _LINUX_CAPABILITY_VERSION_3);
    h.pid = -5;
    h.version = _LINUX_CAPABILITY_VERSION_3;
    SHOW(syscall(SYS_capget, &h, d));
    h.pid = 0;
    SHOW(syscall(SYS_capget, &h, NULL));
    SHOW(syscall(SYS_capget, NULL, d));
    return 0;
}
