/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * What the host may do, and what stops it. It carries the frames and runs both processes: it can
 * stop the transfer at any time (the parent's fork fails, the child ends). It can connect the
 * parent with anything (the handshake fails: nothing is sent), feed a child old or foreign frames
 * (its key is of this exchange), change, drop, repeat, swap or cut frames (the tag of the next one
 * fails), send the same frames to a second child (which made another key). Ciphertext is copied in
 * before it is looked at.
 */
#include "libos/proc/snapshot.h"

#include "core/aead.h"
#include "core/ct.h"
#include "core/le.h"
#include "libos/boot/boot.h"
#include "libos/host/host.h"
#include "libos/host/host_io.h"
#include "libos/lib/random.h"
#include "libos/lib/simd.h"
#include "libos/libos.h"
#include "libos/mm/fork.h"
#include "libos/mm/kmem.h"
#include "libos/mm/kmem_backend.h"
#include "libos/mm/layout.h"
#include "libos/mm/page.h"
#include "libos/mm/page_raw.h"
#include "libos/proc/local_report.h"
#include "libos/proc/park.h"

extern uint8_t __data_start[] __attribute__((visibility("hidden")));
extern uint8_t __image_end[] __attribute__((visibility("hidden")));

#define SNAPSHOT_VERSION 1u
/* In the head: how wide AES-GCM may be. The child is a copy on the same processor, but wakes up
 * before it has read any hint. */
#define LEVEL_SHIFT      8u
#define STREAM_ROOM      ((size_t)512 << 10) /* half of the bounce area */
#define STAGING_SIZE     (2 * SNAPSHOT_FRAME_MAX)
/* Zeros in between are sent like everything else: a record costs more. */
#define ZERO_RUN_LEAST   (8 * (uint64_t)NACRE_PAGE_SIZE)
/* Static data is opened beside its place: whoever opens it lives there. */
#define DATA_FRAME_SIZE  ((size_t)8 << 10)

enum record_kind {
    RECORD_HEAD = 1, /* address: base of the enclave, size: of static data, prot: version */
    RECORD_PAGES,    /* pages to commit; frames with their content follow */
    RECORD_ROOM,     /* pages to commit, all zeros */
    RECORD_DATA,     /* static data of the image; frames follow */
    RECORD_END,
};

struct record {
    uint32_t kind;
    uint32_t prot; /* PAGE_RWX */
    uint64_t address;
    uint64_t size;
} _packed_;
_Static_assert(sizeof(struct record) % 8 == 0, "frames are whole words");

struct frame_head {
    uint64_t size; /* of what follows; authenticated */
    uint8_t tag[AEAD_TAG_SIZE];
};
_Static_assert(sizeof(struct frame_head) == SNAPSHOT_HEAD, "proc/snapshot.h");

/* Where the parent seals; in the child it is memory to free. */
static uint8_t *g_staging;

/* ---- the host's stream ---- */

/* A signal that is filed keeps host calls from sleeping until somebody takes it. */
static void take_signals(struct snapshot_io *io)
{
    if (io->early) {
        io->signals |= park_collect_host_signals();
    } else {
        park_take_host_signals();
    }
}

/* What one host call moved: bytes, 0 when a signal came first, or the end of the stream. */
static int64_t moved(struct snapshot_io *io, int64_t n)
{
    if (n == -EINTR) {
        take_signals(io);
        return 0;
    }
    return n == 0 ? -EPIPE : n;
}

int snapshot_write(void *ctx, const void *p, size_t size)
{
    struct snapshot_io *io = ctx;

    for (size_t done = 0; done < size;) {
        const int64_t n = moved(io, host_write(io->fd, (const uint8_t *)p + done, size - done));

        if (n < 0) {
            return (int)n;
        }
        done += (size_t)n;
    }
    return 0;
}

int snapshot_read(void *ctx, void *p, size_t size)
{
    struct snapshot_io *io = ctx;

    for (size_t done = 0; done < size;) {
        const int64_t n = moved(io, host_read(io->fd, (uint8_t *)p + done, size - done));

        if (n < 0) {
            return (int)n;
        }
        done += (size_t)n;
    }
    return 0;
}

static const struct handshake_world world = {
    .send = snapshot_write,
    .receive = snapshot_read,
    .make_report = local_report_make,
    .check_report = local_report_check,
    .random = random_bytes,
};

static void nonce_of(uint64_t number, uint8_t ret[static AEAD_NONCE_SIZE])
{
    le32_store(ret, 0);
    le64_store(ret + 4, number);
}

static void key_init(struct aead_key *k, const uint8_t key[static AEAD_KEY_SIZE])
{
    struct simd_state simd;

    simd_begin(&simd);
    aead_key_init(k, key);
    simd_end(&simd);
}

/* ---- frames out ---- */

struct sender {
    struct snapshot_io *io;
    struct aead_key key;
    uint64_t sent;
    uint8_t *staging;
    size_t used;
};

static int flush(struct sender *s)
{
    const int r = snapshot_write(s->io, s->staging, s->used);

    s->used = 0;
    return r;
}

static int send_frame(struct sender *s, const void *p, size_t size)
{
    struct simd_state simd;
    uint8_t nonce[AEAD_NONCE_SIZE];
    struct frame_head *head;

    if (s->used + SNAPSHOT_HEAD + size > STAGING_SIZE) {
        const int r = flush(s);

        if (r < 0) {
            return r;
        }
    }
    head = (struct frame_head *)(void *)(s->staging + s->used);
    head->size = size;
    nonce_of(s->sent++, nonce);
    simd_begin(&simd);
    aead_seal(&s->key, nonce, &head->size, sizeof(head->size), p, size, head + 1, head->tag);
    simd_end(&simd);
    s->used += SNAPSHOT_HEAD + size;
    return 0;
}

static int send_record(struct sender *s, enum record_kind kind, uint64_t address, uint64_t size,
                       uint32_t prot)
{
    const struct record r = {.kind = kind, .prot = prot, .address = address, .size = size};

    return send_frame(s, &r, sizeof(r));
}

static int send_content(struct sender *s, uint64_t address, uint64_t size, size_t step)
{
    int r = 0;

    for (uint64_t at = 0; r == 0 && at < size; at += step) {
        r = send_frame(s, (const void *)(address + at), MIN(size - at, (uint64_t)step));
    }
    return r;
}

static bool page_is_zero(uint64_t address)
{
    const uint64_t *p = (const uint64_t *)address;

    for (size_t i = 0; i < NACRE_PAGE_SIZE / sizeof(*p); i += 8) {
        if ((p[i] | p[i + 1] | p[i + 2] | p[i + 3] | p[i + 4] | p[i + 5] | p[i + 6] | p[i + 7]) !=
            0) {
            return false;
        }
    }
    return true;
}

/* How far it is zeros from `address` on, in whole pages. */
static uint64_t zero_run(uint64_t address, uint64_t end)
{
    uint64_t at = address;

    while (at < end && page_is_zero(at)) {
        at += NACRE_PAGE_SIZE;
    }
    return at - address;
}

/* How far it goes on until a run of zeros that is worth a record. */
static uint64_t content_run(uint64_t address, uint64_t end)
{
    uint64_t at = address;

    while (at < end) {
        const uint64_t zeros = zero_run(at, end);

        if (zeros >= ZERO_RUN_LEAST) {
            break;
        }
        at += zeros + (at + zeros < end ? NACRE_PAGE_SIZE : 0);
    }
    return at - address;
}

static int send_run(struct sender *s, uint64_t address, uint64_t size, uint8_t prot)
{
    const uint64_t end = address + size;
    int r = 0;

    while (r == 0 && address < end) {
        const uint64_t content = content_run(address, end);
        const uint64_t zeros = content == 0 ? zero_run(address, end) : 0;

        if (content == 0) {
            r = send_record(s, RECORD_ROOM, address, zeros, prot);
        } else {
            r = send_record(s, RECORD_PAGES, address, content, prot);
            r = r < 0 ? r : send_content(s, address, content, SNAPSHOT_FRAME_MAX);
        }
        address += content + zeros;
    }
    return r;
}

static int send_application_run(void *arg, uint64_t address, uint64_t size, uint8_t prot)
{
    int r = 0;
    int hidden = 0;

    if (prot == 0) { /* content behind PROT_NONE: out of reach at the moment */
        r = page_raw_protect(address, size, 0, PAGE_R);
    }
    if (r == 0) {
        r = send_run(arg, address, size, prot);
        if (prot == 0) {
            hidden = page_raw_protect(address, size, PAGE_R, 0);
        }
    }
    return r < 0 ? r : hidden;
}

static int send_heap_run(void *arg, uint64_t address, uint64_t size, bool content)
{
    if (!content) {
        return send_record(arg, RECORD_ROOM, address, size, PAGE_R | PAGE_W);
    }
    return send_run(arg, address, size, PAGE_R | PAGE_W);
}

static int send_all(struct sender *s, bool with_application)
{
    const uint64_t data = (uint64_t)__data_start;
    const uint64_t data_size = (uint64_t)__image_end - data;
    int r = send_record(s, RECORD_HEAD, g_enclave_base, data_size,
                        SNAPSHOT_VERSION | (uint32_t)aead_get_level() << LEVEL_SHIFT);

    if (r == 0 && with_application) {
        r = mm_for_each_run(send_application_run, s);
    }
    r = r < 0 ? r : kmem_for_each_run(s->staging, send_heap_run, s);
    r = r < 0 ? r : send_record(s, RECORD_DATA, data, data_size, 0);
    r = r < 0 ? r : send_content(s, data, data_size, DATA_FRAME_SIZE);
    r = r < 0 ? r : send_record(s, RECORD_END, 0, s->sent, 0);
    return r < 0 ? r : flush(s);
}

/* ---- frames in ---- */

struct receiver {
    struct snapshot_io *io;
    bool ahead; /* reads more than it needs, from `stream` */
    struct host_stream stream;
    struct aead_key key;
    uint64_t received;
};

static int receive_bytes(struct receiver *v, void *dst, size_t size)
{
    size_t done = 0;
    int r;

    if (!v->ahead) {
        return snapshot_read(v->io, dst, size);
    }
    while ((r = host_stream_read(&v->stream, dst, size, &done)) == -EINTR) {
        take_signals(v->io);
    }
    return r;
}

/* The next frame, of exactly `size` bytes. */
static int receive_frame(struct receiver *v, void *dst, size_t size)
{
    struct simd_state simd;
    struct frame_head head;
    uint8_t nonce[AEAD_NONCE_SIZE];
    int r = receive_bytes(v, &head, sizeof(head));

    if (r < 0) {
        return r;
    }
    if (head.size != size) {
        return -EBADMSG;
    }
    r = receive_bytes(v, dst, size);
    if (r < 0) {
        return r;
    }
    nonce_of(v->received++, nonce);
    simd_begin(&simd);
    r = aead_open(&v->key, nonce, &head.size, sizeof(head.size), dst, size, dst, head.tag);
    simd_end(&simd);
    return r;
}

/* May the parent have pages there? It is code like ours, and the frame is its: this is a check of
 * our own books, so that a mistake ends here and not in a strange state. */
static bool is_page_area(uint64_t address, uint64_t size)
{
    const uint64_t heap = g_enclave_base + LIBOS_HEAP_META_OFFSET;

    if (!is_page_aligned(address) || !is_page_aligned(size) || size == 0) {
        return false;
    }
    return range_within(address, size, g_user_start, g_user_end) ||
           range_within(address, size, heap, heap + LIBOS_HEAP_META_SIZE + LIBOS_HEAP_SIZE);
}

static int load_content(struct receiver *v, uint64_t address, uint64_t size)
{
    int r = 0;

    for (uint64_t at = 0; r == 0 && at < size; at += SNAPSHOT_FRAME_MAX) {
        r = receive_frame(v, (void *)(address + at), MIN(size - at, (uint64_t)SNAPSHOT_FRAME_MAX));
    }
    return r;
}

static int load_pages(struct receiver *v, const struct record *rec)
{
    int r;

    if (!is_page_area(rec->address, rec->size) || (rec->prot & ~(uint32_t)PAGE_RWX) != 0) {
        return -EBADMSG;
    }
    r = page_raw_commit(rec->address, rec->size);
    if (r == 0 && rec->kind == RECORD_PAGES) {
        r = load_content(v, rec->address, rec->size);
    }
    return r < 0 ? r
                 : page_raw_protect(rec->address, rec->size, PAGE_R | PAGE_W, (uint8_t)rec->prot);
}

static int load_data(struct receiver *v, const struct record *rec)
{
    uint8_t beside[DATA_FRAME_SIZE] _aligned_(16);
    int r = 0;

    if (rec->address != (uint64_t)__data_start ||
        rec->size != (uint64_t)__image_end - (uint64_t)__data_start) {
        return -EBADMSG;
    }
    for (uint64_t at = 0; r == 0 && at < rec->size; at += sizeof(beside)) {
        const size_t n = (size_t)MIN(rec->size - at, (uint64_t)sizeof(beside));

        r = receive_frame(v, beside, n);
        if (r == 0) {
            __builtin_memcpy((void *)(rec->address + at), beside, n);
        }
    }
    ct_wipe(beside, sizeof(beside));
    return r;
}

static int load_records(struct receiver *v, uint64_t *ret_committed)
{
    struct page_counters counters = {0};

    for (;;) {
        struct record rec;
        const uint64_t frames = v->received;
        int r = receive_frame(v, &rec, sizeof(rec));

        if (r < 0) {
            return r;
        }
        switch (rec.kind) {
        case RECORD_PAGES:
        case RECORD_ROOM: r = load_pages(v, &rec); break;
        case RECORD_DATA:
            /* Our own counters are about to become the parent's. */
            page_counters(&counters);
            r = load_data(v, &rec);
            break;
        case RECORD_END:
            *ret_committed = counters.committed;
            return counters.committed != 0 && rec.size == frames ? 0 : -EBADMSG;
        default: r = -EBADMSG; break;
        }
        if (r < 0) {
            return r;
        }
    }
}

static int load_head(struct receiver *v, const uint8_t key[static AEAD_KEY_SIZE])
{
    struct record rec;
    const int r = receive_frame(v, &rec, sizeof(rec));

    if (r < 0) {
        return r;
    }
    if (rec.kind != RECORD_HEAD || (rec.prot & 0xff) != SNAPSHOT_VERSION ||
        rec.prot >> LEVEL_SHIFT > AEAD_AVX512 || rec.address != g_enclave_base ||
        rec.size != (uint64_t)__image_end - (uint64_t)__data_start) {
        return -EBADMSG;
    }
    aead_set_level((enum aead_level)(rec.prot >> LEVEL_SHIFT));
    key_init(&v->key, key);
    return 0;
}

/* ---- the two sides ---- */

int snapshot_await(int fd, const struct handshake_keys *keys, uint64_t what)
{
    struct snapshot_io io = {.fd = fd};
    struct receiver v = {.io = &io, .received = what};
    uint64_t word;
    int r;

    key_init(&v.key, keys->to_parent);
    r = receive_frame(&v, &word, sizeof(word));
    ct_wipe(&v.key, sizeof(v.key));
    if (r < 0) {
        return r;
    }
    return word == what ? 0 : -EBADMSG;
}

int snapshot_save(int fd, bool with_application, struct handshake_keys *ret)
{
    struct snapshot_io io = {.fd = fd};
    struct sender s = {.io = &io};
    int r = handshake_parent(&world, &io, ret);

    if (r < 0) {
        return r;
    }
    g_staging = kpages_alloc(STAGING_SIZE >> NACRE_PAGE_SHIFT);
    if (g_staging == NULL) {
        return -ENOMEM;
    }
    s.staging = g_staging;
    key_init(&s.key, ret->to_child);
    r = send_all(&s, with_application);
    ct_wipe(&s.key, sizeof(s.key));
    kpages_free(g_staging, STAGING_SIZE >> NACRE_PAGE_SHIFT);
    g_staging = NULL;
    return r < 0 ? r : snapshot_await(fd, ret, SNAPSHOT_STANDS);
}

void snapshot_load(int fd, struct snapshot_link *ret)
{
    struct receiver v = {.io = &ret->io, .ahead = true};
    int r;

    *ret = (struct snapshot_link){.io = {.fd = fd, .early = true}};
    r = handshake_child(&world, &ret->io, &ret->keys);
    if (r < 0) {
        libos_panic("fork: the process that made this one did not prove itself: error %d", -r);
    }
    key_init(&v.key, ret->keys.to_child);
    host_stream_open(&v.stream, fd, STREAM_ROOM);
    r = load_head(&v, ret->keys.to_child);
    r = r < 0 ? r : load_records(&v, &ret->committed);
    host_stream_close(&v.stream);
    ct_wipe(&v.key, sizeof(v.key));
    if (r < 0) {
        libos_panic("fork: the snapshot is not whole: error %d", -r);
    }
}

void snapshot_after_fork(void)
{
    if (g_staging != NULL) {
        kpages_free(g_staging, STAGING_SIZE >> NACRE_PAGE_SHIFT);
        g_staging = NULL;
    }
}

int snapshot_tell(struct snapshot_link *link, uint64_t what)
{
    uint8_t frame[SNAPSHOT_HEAD + sizeof(what)] _aligned_(8);
    struct sender s = {.io = &link->io, .staging = frame, .sent = what};
    int r;

    key_init(&s.key, link->keys.to_parent);
    r = send_frame(&s, &what, sizeof(what));
    r = r < 0 ? r : flush(&s);
    ct_wipe(&s.key, sizeof(s.key));
    return r;
}

void snapshot_part(struct snapshot_link *link)
{
    ct_wipe(&link->keys, sizeof(link->keys));
    (void)host_close(link->io.fd);
}
