/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* The sealed channel over a transport that does everything a host can do to bytes. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/aead.h"
#include "libos/family/channel.h"
#include "unit/libos/fake_kernel.h"
#include "unit/unit.h"

/* One direction: what was sent, and how much of it the receiver got. */
struct pipe_half {
    uint8_t bytes[1 << 20];
    size_t end, at;
    size_t send_max; /* taken at once; 0: no limit */
    size_t recv_max;
    size_t room; /* before -EAGAIN; 0: no limit */
    bool closed;
};

struct end {
    struct pipe_half *out, *in;
    uint32_t waits;
};

static int64_t fake_send(void *ctx, const void *src, size_t size)
{
    struct pipe_half *h = ((struct end *)ctx)->out;

    if (h->send_max != 0 && size > h->send_max) {
        size = h->send_max;
    }
    if (h->room != 0 && h->end - h->at + size > h->room) {
        size = h->room - (h->end - h->at);
    }
    if (size == 0) {
        return -EAGAIN;
    }
    assert_true(h->end + size <= sizeof(h->bytes));
    memcpy(h->bytes + h->end, src, size);
    h->end += size;
    return (int64_t)size;
}

static int64_t fake_recv(void *ctx, void *dst, size_t size)
{
    struct pipe_half *h = ((struct end *)ctx)->in;
    size_t n = h->end - h->at;

    if (n == 0) {
        return h->closed ? 0 : -EAGAIN;
    }
    n = n < size ? n : size;
    n = h->recv_max != 0 && n > h->recv_max ? h->recv_max : n;
    memcpy(dst, h->bytes + h->at, n);
    h->at += n;
    return (int64_t)n;
}

static int fake_wait(void *ctx, bool to_write, bool interruptible)
{
    struct end *e = ctx;

    e->waits++;
    if (to_write) {
        e->out->at = e->out->end; /* the peer read it all */
        return 0;
    }
    return interruptible ? -EINTR : -EIO; /* nothing will ever come */
}

static void fake_close(void *ctx)
{
}

static const struct channel_io g_fake_io = {fake_send, fake_recv, fake_wait, fake_close};
static const uint8_t g_key[CHANNEL_KEY_SIZE] = {1, 2, 3};

struct pair {
    struct pipe_half a_to_b, b_to_a;
    struct end a_end, b_end;
    struct channel a _aligned_(64), b _aligned_(64);
};

static struct pair *pair_make(void)
{
    struct pair *p = aligned_alloc(64, (sizeof(*p) + 63) / 64 * 64);

    memset(p, 0, sizeof(*p));
    p->a_end = (struct end){.out = &p->a_to_b, .in = &p->b_to_a};
    p->b_end = (struct end){.out = &p->b_to_a, .in = &p->a_to_b};
    assert_int_equal(channel_init(&p->a, g_key, "test", CHANNEL_ROLE_A, &g_fake_io, &p->a_end), 0);
    assert_int_equal(channel_init(&p->b, g_key, "test", CHANNEL_ROLE_B, &g_fake_io, &p->b_end), 0);
    return p;
}

static void pair_free(struct pair *p)
{
    channel_destroy(&p->a);
    channel_destroy(&p->b);
    free(p);
}

static int post(struct channel *c, const void *p, size_t size)
{
    const struct channel_part part = {.p = p, .size = size};

    return channel_post(c, &part, 1);
}

static int take(struct channel *c, uint8_t **p, size_t *size)
{
    return channel_receive(c, CHANNEL_NOWAIT, p, size);
}

static void expect(struct channel *c, const void *want, size_t want_size)
{
    uint8_t *p = NULL;
    size_t size = 0;

    assert_int_equal(take(c, &p, &size), 1);
    assert_int_equal(size, want_size);
    assert_memory_equal(p, want, size);
}

static void test_channel_messages_arrive_in_order_and_whole(void **state)
{
    struct pair *p = pair_make();
    uint8_t *q = NULL;
    size_t size = 0;

    assert_int_equal(post(&p->a, "one", 3), 0);
    assert_int_equal(post(&p->a, "", 0), 0);
    assert_int_equal(post(&p->b, "back", 4), 0);
    assert_int_equal(post(&p->a, "three", 5), 0);
    assert_null(memmem(p->a_to_b.bytes, p->a_to_b.end, "three", 5)); /* never in clear */
    expect(&p->b, "one", 3);
    expect(&p->b, "", 0);
    expect(&p->b, "three", 5);
    assert_int_equal(take(&p->b, &q, &size), -EAGAIN);
    expect(&p->a, "back", 4);
    pair_free(p);
}

static void test_channel_largest_message_in_byte_sized_reads(void **state)
{
    struct pair *p = pair_make();
    uint8_t *big = malloc(CHANNEL_PAYLOAD_MAX + 1);

    for (size_t i = 0; i < CHANNEL_PAYLOAD_MAX; i++) {
        big[i] = (uint8_t)(i * 7);
    }
    p->a_to_b.send_max = 1000;
    p->a_to_b.recv_max = 977;
    assert_int_equal(post(&p->a, big, CHANNEL_PAYLOAD_MAX), 0);
    assert_int_equal(post(&p->a, "x", 1), 0);
    assert_int_equal(post(&p->a, big, CHANNEL_PAYLOAD_MAX + 1), -EMSGSIZE);
    expect(&p->b, big, CHANNEL_PAYLOAD_MAX);
    expect(&p->b, "x", 1);
    free(big);
    pair_free(p);
}

/* A message of three frames: what the host does to one of them, it does to the message. */
static void test_channel_parts_of_a_message_are_in_order_and_complete(void **state)
{
    const size_t size = 2 * CHANNEL_PART_SIZE + 100;
    uint8_t *big = malloc(size);
    uint8_t *q = NULL;
    size_t got = 0;

    memset(big, 0x5a, size);
    for (int what = 0; what < 4; what++) {
        struct pair *p = pair_make();
        uint8_t *b = p->a_to_b.bytes;

        assert_int_equal(post(&p->a, big, size), 0);
        if (what == 0) { /* nothing: it arrives */
            expect(&p->b, big, size);
            pair_free(p);
            continue;
        }
        if (what == 1) { /* the second is missing */
            memmove(b + CHANNEL_FRAME_MAX, b + 2 * CHANNEL_FRAME_MAX,
                    p->a_to_b.end - 2 * CHANNEL_FRAME_MAX);
            p->a_to_b.end -= CHANNEL_FRAME_MAX;
        } else if (what == 2) { /* the first comes twice */
            memcpy(b + CHANNEL_FRAME_MAX, b, CHANNEL_FRAME_MAX);
        } else { /* "this is all" */
            b[4] = 1;
        }
        assert_int_equal(take(&p->b, &q, &got), -EBADMSG);
        assert_int_equal(take(&p->b, &q, &got), -EBADMSG);
        pair_free(p);
    }
    free(big);
}

/* Memory of the caller's that cannot be read ends a message in the middle: the peer sees none. */
static void test_channel_message_that_cannot_be_read_is_taken_back(void **state)
{
    struct pair *p = pair_make();
    uint8_t *good = calloc(1, CHANNEL_PART_SIZE + 4096);
    struct user_iovec v[2] = {{.base = (uintptr_t)good, .size = CHANNEL_PART_SIZE + 4096},
                              {.base = UINT64_MAX - 4095, .size = 4096}};
    const struct user_iov iov = {.v = v, .count = 2, .total = v[0].size + v[1].size};
    struct iter it;

    iter_init_iov(&it, &iov);
    assert_int_equal(channel_post_iter(&p->a, NULL, 0, &it, iov.total), -EFAULT);
    assert_int_equal(it.left, iov.total);
    assert_true(p->a_to_b.end > CHANNEL_FRAME_MAX); /* a part was gone already */
    assert_int_equal(post(&p->a, "next", 4), 0);
    expect(&p->b, "next", 4);
    free(good);
    pair_free(p);
}

static void test_channel_full_transport_keeps_the_rest_until_flush(void **state)
{
    struct pair *p = pair_make();
    uint8_t buf[1000] = {9};

    p->a_to_b.room = 600;
    assert_int_equal(post(&p->a, buf, sizeof(buf)), 0);
    assert_true(channel_backlog(&p->a));
    assert_int_equal(channel_flush(&p->a), 0);
    p->a_to_b.room = 0;
    assert_int_equal(channel_flush(&p->a), 1);
    assert_false(channel_backlog(&p->a));
    expect(&p->b, buf, sizeof(buf));
    pair_free(p);
}

static void test_channel_peer_that_never_reads_breaks_it(void **state)
{
    struct pair *p = pair_make();
    uint8_t *buf = calloc(1, CHANNEL_PAYLOAD_MAX);
    int r = 0;
    size_t n = 0;

    p->a_to_b.room = 1;
    while (r == 0 && n++ < 1000) {
        r = post(&p->a, buf, CHANNEL_PAYLOAD_MAX);
    }
    assert_int_equal(r, -ENOBUFS);
    assert_true(n <= CHANNEL_BACKLOG_MAX / CHANNEL_PAYLOAD_MAX + 1);
    assert_int_equal(post(&p->a, "x", 1), -ENOBUFS); /* for good */
    free(buf);
    pair_free(p);
}

static void test_channel_farewell_is_told_from_a_cut(void **state)
{
    struct pair *p = pair_make();
    uint8_t *q = NULL;
    size_t size = 0;

    assert_int_equal(post(&p->a, "last", 4), 0);
    assert_int_equal(channel_part(&p->a), 0);
    assert_int_equal(post(&p->a, "x", 1), -EPIPE);
    p->a_to_b.closed = true;
    expect(&p->b, "last", 4);
    assert_int_equal(take(&p->b, &q, &size), 0);
    assert_int_equal(take(&p->b, &q, &size), 0);
    pair_free(p);

    p = pair_make();
    assert_int_equal(post(&p->a, "last", 4), 0);
    p->a_to_b.closed = true;
    expect(&p->b, "last", 4);
    assert_int_equal(take(&p->b, &q, &size), -ECONNABORTED);
    pair_free(p);
}

/* Three messages and a farewell, then `tamper`; whatever the receiver gets must be a true prefix
 * and then an error that stays. */
static void attack(void (*tamper)(struct pipe_half *h, size_t n), size_t n)
{
    static const char *const texts[] = {"first", "second message", "the third"};
    struct pair *p = pair_make();
    uint8_t *q = NULL;
    size_t size = 0;
    int r;
    size_t got = 0;

    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(post(&p->a, texts[i], strlen(texts[i])), 0);
    }
    assert_int_equal(channel_part(&p->a), 0);
    tamper(&p->a_to_b, n);
    p->a_to_b.closed = true;
    while ((r = take(&p->b, &q, &size)) == 1) {
        assert_true(got < 3);
        assert_int_equal(size, strlen(texts[got]));
        assert_memory_equal(q, texts[got], size);
        got++;
    }
    assert_true(r == -EBADMSG || r == -ECONNABORTED);
    assert_int_equal(take(&p->b, &q, &size), r);
    assert_int_equal(post(&p->b, "x", 1), r);
    pair_free(p);
}

static void flip(struct pipe_half *h, size_t n)
{
    h->bytes[n / 8] ^= (uint8_t)(1u << (n % 8));
}

static void cut(struct pipe_half *h, size_t n)
{
    h->end = n;
}

static void drop_byte(struct pipe_half *h, size_t n)
{
    memmove(h->bytes + n, h->bytes + n + 1, h->end - n - 1);
    h->end--;
}

static void insert_byte(struct pipe_half *h, size_t n)
{
    memmove(h->bytes + n + 1, h->bytes + n, h->end - n);
    h->bytes[n] = 0;
    h->end++;
}

static size_t frame_at(const struct pipe_half *h, size_t index, size_t *size)
{
    size_t at = 0;

    for (;;) {
        uint32_t n;

        memcpy(&n, h->bytes + at, 4);
        *size = n + CHANNEL_HEADER_SIZE + AEAD_TAG_SIZE;
        if (index-- == 0) {
            return at;
        }
        at += *size;
    }
}

static void repeat_frame(struct pipe_half *h, size_t n)
{
    size_t size;
    size_t at = frame_at(h, n, &size);

    memmove(h->bytes + at + size, h->bytes + at, h->end - at);
    h->end += size;
}

static void drop_frame(struct pipe_half *h, size_t n)
{
    size_t size;
    size_t at = frame_at(h, n, &size);

    memmove(h->bytes + at, h->bytes + at + size, h->end - at - size);
    h->end -= size;
}

static void swap_frames(struct pipe_half *h, size_t n)
{
    uint8_t copy[256];
    size_t size;
    size_t next_size;
    size_t at = frame_at(h, n, &size);
    size_t next = frame_at(h, n + 1, &next_size);

    memcpy(copy, h->bytes + at, size);
    memmove(h->bytes + at, h->bytes + next, next_size);
    memcpy(h->bytes + at + next_size, copy, size);
}

static void test_channel_each_flipped_bit_is_found(void **state)
{
    const size_t bytes = 4 * (CHANNEL_HEADER_SIZE + AEAD_TAG_SIZE) + 5 + 14 + 9;

    for (size_t n = 0; n < bytes * 8; n++) {
        attack(flip, n);
    }
}

static void test_channel_each_cut_drop_and_insertion_is_found(void **state)
{
    const size_t bytes = 4 * (CHANNEL_HEADER_SIZE + AEAD_TAG_SIZE) + 5 + 14 + 9;

    for (size_t n = 0; n < bytes; n++) {
        attack(cut, n);
        attack(drop_byte, n);
        attack(insert_byte, n);
    }
}

static void test_channel_replayed_dropped_swapped_frames_are_found(void **state)
{
    for (size_t n = 0; n < 3; n++) {
        attack(repeat_frame, n);
        attack(drop_frame, n);
        attack(swap_frames, n);
    }
    attack(drop_frame, 3); /* the farewell */
}

static void test_channel_reflected_frames_do_not_open(void **state)
{
    struct pair *p = pair_make();
    uint8_t *q = NULL;
    size_t size = 0;

    assert_int_equal(post(&p->a, "mine", 4), 0);
    memcpy(p->b_to_a.bytes, p->a_to_b.bytes, p->a_to_b.end);
    p->b_to_a.end = p->a_to_b.end;
    assert_int_equal(take(&p->a, &q, &size), -EBADMSG);
    pair_free(p);
}

static void test_channel_label_and_key_keep_channels_apart(void **state)
{
    struct pair *p = pair_make();
    uint8_t *q = NULL;
    size_t size = 0;

    channel_destroy(&p->b);
    assert_int_equal(channel_init(&p->b, g_key, "other", CHANNEL_ROLE_B, &g_fake_io, &p->b_end), 0);
    assert_int_equal(post(&p->a, "x", 1), 0);
    assert_int_equal(take(&p->b, &q, &size), -EBADMSG);
    assert_int_equal(channel_init(&p->b, g_key, "a label that is longer than is allowed here",
                                  CHANNEL_ROLE_B, &g_fake_io, &p->b_end),
                     -EINVAL);
    pair_free(p);
}

static void test_channel_oversized_length_is_refused_before_it_is_waited_for(void **state)
{
    struct pair *p = pair_make();
    uint8_t *q = NULL;
    size_t size = 0;

    memcpy(p->a_to_b.bytes, "\xff\xff\xff\x7f\x01\0\0\0", 8);
    p->a_to_b.end = 8;
    assert_int_equal(take(&p->b, &q, &size), -EBADMSG);
    pair_free(p);
}

static void test_channel_interrupted_wait_loses_nothing(void **state)
{
    struct pair *p = pair_make();
    uint8_t *q = NULL;
    size_t size = 0;

    assert_int_equal(post(&p->a, "whole", 5), 0);
    p->a_to_b.end -= 3; /* the rest comes later */
    assert_int_equal(channel_receive(&p->b, 0, &q, &size), -EINTR);
    p->a_to_b.end += 3;
    expect(&p->b, "whole", 5);
    pair_free(p);
}

static void test_channel_no_memory_sends_nothing_and_breaks_nothing(void **state)
{
    struct pair *p = pair_make();

    fake_alloc_fail_at(1);
    assert_int_equal(post(&p->a, "x", 1), -ENOMEM);
    fake_alloc_fail_at(0);
    assert_int_equal(p->a_to_b.end, 0);
    assert_int_equal(post(&p->a, "y", 1), 0);
    expect(&p->b, "y", 1);
    pair_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_channel_messages_arrive_in_order_and_whole),
        cmocka_unit_test(test_channel_largest_message_in_byte_sized_reads),
        cmocka_unit_test(test_channel_parts_of_a_message_are_in_order_and_complete),
        cmocka_unit_test(test_channel_message_that_cannot_be_read_is_taken_back),
        cmocka_unit_test(test_channel_full_transport_keeps_the_rest_until_flush),
        cmocka_unit_test(test_channel_peer_that_never_reads_breaks_it),
        cmocka_unit_test(test_channel_farewell_is_told_from_a_cut),
        cmocka_unit_test(test_channel_each_flipped_bit_is_found),
        cmocka_unit_test(test_channel_each_cut_drop_and_insertion_is_found),
        cmocka_unit_test(test_channel_replayed_dropped_swapped_frames_are_found),
        cmocka_unit_test(test_channel_reflected_frames_do_not_open),
        cmocka_unit_test(test_channel_label_and_key_keep_channels_apart),
        cmocka_unit_test(test_channel_oversized_length_is_refused_before_it_is_waited_for),
        cmocka_unit_test(test_channel_interrupted_wait_loses_nothing),
        cmocka_unit_test(test_channel_no_memory_sends_nothing_and_breaks_nothing),
    };

    return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
