/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * /etc/hosts and /etc/resolv.conf, which a container engine writes for each container and no image
 * holds. Names and addresses are the host's word, as packets are: what they lead to proves itself
 * (TLS), or is not trusted. What is taken over is parsed and written anew, so that a resolver
 * inside reads nothing but well-formed lines, and `localhost` is always this machine.
 */

#include "libos/lib/strbuf.h"

#define HOST_NAMES_TEXT_MAX  65536u /* bytes looked at */
#define HOST_NAMES_LINES_MAX 2048u
#define HOST_NAMES_SERVERS   3u /* as glibc and musl */
#define HOST_NAMES_SEARCH    6u

/* Write a file's text to `out` (empty before). `text` is the host's, NUL-terminated, already inside
 * the enclave; NULL: it gave none. out->failed tells that memory ran out. */
void host_names_hosts(const char *text, struct strbuf *out);
void host_names_resolv(const char *text, struct strbuf *out);
