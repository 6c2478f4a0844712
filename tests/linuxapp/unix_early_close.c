/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* A client that connects, sends and closes before the server accepts: its name and its data arrive.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include "app.h"

int main(void)
{
    struct sockaddr_un server = {.sun_family = AF_UNIX, .sun_path = "server"};
    struct sockaddr_un client = {.sun_family = AF_UNIX, .sun_path = "client"};
    struct sockaddr_un from = {0};
    socklen_t size = sizeof(from);
    char buf[8] = {0};
    int l = socket(AF_UNIX, SOCK_STREAM, 0);
    int c = socket(AF_UNIX, SOCK_STREAM, 0);

    scratch();
    SHOW(bind(l, (struct sockaddr *)&server, sizeof(server)));
    SHOW(listen(l, 4));
    SHOW(bind(c, (struct sockaddr *)&client, sizeof(client)));
    SHOW(connect(c, (struct sockaddr *)&server, sizeof(server)));
    SHOW(write(c, "early", 5));
    close(c);
    int s = accept(l, (struct sockaddr *)&from, &size);

    OK(s);
    printf("from %s\n", from.sun_path);
    SHOW(read(s, buf, sizeof(buf)));
    SHOW(read(s, buf, sizeof(buf)));
    puts(buf);
    scratch_leave();
    return 0;
}
