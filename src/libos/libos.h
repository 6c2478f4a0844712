/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * What every file of the library OS may use. The library OS is compiled twice: trusted, into the
 * enclave (freestanding, general registers only), and hosted, as an ordinary library against
 * tests/unit/libos/fake_host.c for unit tests, sanitizers and fuzzing. Code outside boot/ and
 * host/ must not know which.
 */

#include "core/types.h"

/* Address map, as offsets from the enclave base (DESIGN section 3). The application has everything
 * below LIBOS_AREA_START; libos heap, stacks, dynamic TCS/SSA and its image lie above. */
#define ELRANGE_SIZE     (1ull << 40)
#define LIBOS_AREA_SIZE  (64ull << 30)
#define LIBOS_AREA_START (ELRANGE_SIZE - LIBOS_AREA_SIZE)
#define USER_MIN_ADDR    0x10000ull

enum log_level { LOG_ERROR = 0, LOG_WARNING = 1, LOG_INFO = 2, LOG_DEBUG = 3, LOG_TRACE = 4 };

/* One line to the host's log. Never secrets, never pointers above LOG_DEBUG. %s %d %u %x %lu %lx %p
 * %zu %c with width and zero flag are understood. */
void libos_log(enum log_level level, const char *fmt, ...) _printf_(2, 3);
bool libos_log_enabled(enum log_level level);

/* The enclave cannot go on: log, and leave for good. */
_noreturn_ void libos_panic(const char *fmt, ...) _printf_(1, 2);

/* snprintf with the directives above; always terminates, returns what would have been written. */
int kprintf(char *dst, size_t size, const char *fmt, ...) _printf_(3, 4);
