/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * How enclave and host talk. The host enters with
 *
 *   EENTER  rdi = enum enclave_entry, rsi = struct hostcall_block * of this thread (untrusted),
 *           rdx = entry argument (ENTRY_START: struct boot_params *, untrusted)
 *
 * and the enclave leaves by EEXIT after writing a request into the block. The host serves it and
 * enters again with ENTRY_RETURN. The enclave never trusts a word in the block: it copies once and
 * then checks. The host never writes where the enclave did not ask it to.
 */

#include "core/types.h"

enum hostcall {
#define X(number, name, args, description) HOSTCALL_##name = (number),
#include "abi/hostcall.tbl.h"
#undef X
};
#define HOSTCALL_MAX 160

enum enclave_entry {
    ENTRY_START = 0,     /* first entry of the first thread */
    ENTRY_THREAD = 1,    /* first entry on the TCS of a new thread */
    ENTRY_RETURN = 2,    /* a host call was served */
    ENTRY_EXCEPTION = 3, /* CSSA > 0: look into SSA[CSSA - 1] for what happened */
    ENTRY_SIGNAL = 4,    /* CSSA > 0: a host signal is pending, see block->signals */
};

enum enclave_exit {
    EXIT_HOSTCALL = 0,    /* serve block->number, then ENTRY_RETURN */
    EXIT_RESUME = 1,      /* the exception was handled: ERESUME */
    EXIT_THREAD_DONE = 2, /* this thread will not enter again */
    EXIT_ABORT = 3,       /* the enclave gave up; block->args[0] is the reason */
    EXIT_NOTHING = 4,     /* never written by the enclave: what the host leaves there, so that a
                             request is served once even if the enclave leaves without one */
};

#define HOSTCALL_ARGS 6

/* One per thread, page aligned, in untrusted memory; `buffer` is the thread's bounce area. */
struct hostcall_block {
    uint32_t exit;   /* enum enclave_exit */
    uint32_t number; /* enum hostcall */
    uint64_t args[HOSTCALL_ARGS];
    int64_t result;
    uint64_t signals; /* host signals not yet taken over, bit (n - 1); set by the host's handler */
    uint64_t buffer;  /* untrusted address of the bounce area */
    uint64_t buffer_size;
    uint64_t park; /* the word this thread parks on (futex_wait) */
    uint64_t tcs;  /* linear address of this thread's TCS */
    uint64_t reserved[5];
} _packed_ _aligned_(8);
_Static_assert(sizeof(struct hostcall_block) == 144, "hostcall ABI");

/* What one share_offer may ask for. */
#define HOSTCALL_SHARE_MAX 0x100000u

/* The signal behind thread_kick: bit HOST_SIGNAL_KICK - 1 of `signals`. Never sent by others. */
#define HOST_SIGNAL_KICK 63

/* Bits the enclave took over it clears (atomically): while one is set, calls that could sleep
 * return -EINTR at once, so that a signal between EEXIT and the system call is not slept over. */

/* epoll_read is epoll_wait that reads as well, so that an event and its data cost one exit: for
 * each event that says EPOLLIN and no error or end, and whose data has EPOLL_READ_STREAM, the host
 * makes one non-blocking recv of EPOLL_READ_SIZE bytes on the descriptor in the data, into the
 * event's place in the data area, and puts the result beside it: bytes, or -errno. -EAGAIN: nothing
 * read. */
#define EPOLL_READ_STREAM   (1ull << 63)
#define EPOLL_READ_FD_SHIFT 43 /* 20 bits of descriptor; below it whatever the enclave likes */
#define EPOLL_READ_FD_MAX   (1 << 20)
#define EPOLL_READ_SIZE     4096u

#define HOSTCALL_BUFFER_SIZE ((size_t)1 << 20)
