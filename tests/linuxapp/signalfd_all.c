/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* signalfd takes blocked signals. */
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

#include "app.h"

int main(void)
{
    scratch();
    struct signalfd_siginfo si;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK);

    SHOW(read(fd, &si, sizeof(si)));
    raise(SIGUSR1);
    struct pollfd p = {fd, POLLIN, 0};
    SHOW(poll(&p, 1, 1000));
    SHOW(read(fd, &si, sizeof(si)) == sizeof(si));
    SHOW(si.ssi_signo);
    SHOW(si.ssi_pid == (uint32_t)getpid());
    SHOW(poll(&p, 1, 0));
    return 0;
}
