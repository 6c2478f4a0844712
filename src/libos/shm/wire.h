/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Memory the processes of a family share (docs/processes.md, "Shared memory"): what goes over the
 * channel "pages" between a member and the owner. One head each, little endian, followed by a whole
 * page of content where the operation has one and SHM_ZERO is not set. Order matters: what a member
 * posts is handled in that order, and the owner's messages to one member arrive in theirs.
 */

#include "core/types.h"

enum shm_op {
    /* member to owner */
    SHM_REQUEST = 1,   /* a page, to write with SHM_WRITE */
    SHM_CONTENT,       /* a: of which recall; 0: given back unasked. The sender holds it no more */
    SHM_ACK,           /* a: of which recall; there is nothing (any more) */
    SHM_ZEROS,         /* b pages from `page` on given back, all zeros */
    SHM_DETACH,        /* a: as many attachments of `object` end */
    SHM_SYNC,          /* d: question -> answer, once all before it is done */
    SHM_FUTEX_WAIT,    /* a: ticket, b: bits; page: offset of the word */
    SHM_FUTEX_CANCEL,  /* a: ticket, d: question -> answer: 1 it was waiting, 0 woken before */
    SHM_FUTEX_WAKE,    /* a: at most so many, b: bits, d: question -> answer: how many */
    SHM_FUTEX_REQUEUE, /* a: wake, b: then move, to c in object e; d: question -> both counts */
    /* owner to member */
    SHM_GRANT,  /* content; SHM_WRITE: nobody else has the page from now on */
    SHM_RECALL, /* a: number; SHM_WRITE: all of it, else a copy may stay */
    SHM_LOST,   /* the page went with a process that was killed */
    SHM_WOKEN,  /* a: ticket */
    SHM_ANSWER, /* d: question, a: result */
};

#define SHM_WRITE 0x1u
#define SHM_ZERO  0x2u /* the page is all zeros: no content follows */
#define SHM_KEPT  0x4u /* SHM_CONTENT: the sender still has a copy to read */

struct shm_head {
    uint32_t op;
    uint32_t flags;
    uint64_t object;
    uint64_t page; /* number; futexes: offset in bytes */
    uint64_t a, b, c, d, e;
};
_Static_assert(sizeof(struct shm_head) == 64, "wire");

#define SHM_PAGES_MAX ((uint64_t)16 << 20) /* of one object: 64 GiB */

/* Does an operation come with content? */
static inline bool shm_has_content(const struct shm_head *h)
{
    return (h->op == SHM_CONTENT || h->op == SHM_GRANT) && (h->flags & SHM_ZERO) == 0;
}
