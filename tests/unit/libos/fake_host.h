/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * A host for the hosted library OS: hostcall() carries calls out on the real one, counts them, and
 * can be told to fail or to lie. The bounce area is ordinary memory that counts as "outside".
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fake_lie {
    LIE_NONE,
    LIE_EIO,      /* the call fails with EIO and is not carried out */
    LIE_EINTR,    /* interrupted, not carried out */
    LIE_EAGAIN,   /* not carried out */
    LIE_LONG,     /* carried out; the result is larger than was asked for */
    LIE_SHORT,    /* carried out; positive results are halved */
    LIE_NEGATIVE, /* an error number that does not exist */
    LIE_WILD,     /* a huge positive number */
    LIE_ZERO,     /* not carried out, "0" */
    LIE_RANDOM,   /* answers come from the bytes given to fake_host_fuzz */
    LIE_COUNT,
};

void fake_host_reset(void);
/* The n-th call from now (1 is the next) is answered so; 0: every call. */
void fake_host_lie(uint64_t nth, enum fake_lie lie);
/* Limits the lie to one kind of call; -1: any. */
void fake_host_lie_about(int number);
uint64_t fake_host_calls(void);
uint64_t fake_host_calls_of(int number);
/* Fuzzing: results, and what is written into the bounce area, come from these bytes. */
void fake_host_fuzz(const uint8_t *data, size_t size);
size_t fake_host_bounce_used(void);
/* Gives the current thread its bounce area. */
void fake_host_thread(void);
void fake_host_thread_end(void);
