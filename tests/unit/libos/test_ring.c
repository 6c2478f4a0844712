/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* The ring between two processes, both ends in one, and everything a host can do to its memory. */

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libos/family/ring.h"
#include "unit/libos/fake_kernel.h"
#include "unit/unit.h"

#define SIZE   4096u
#define MEMORY (NACRE_PAGE_SIZE + 2 * (size_t)SIZE)
/* where the words of the offering end's direction are (ring.c, struct direction) */
#define TAIL   0u
#define HEAD   64u

/* As in ring.c. */
struct ring_begin {
    int fd;
    uint32_t size;
    uint8_t *memory;
};

struct pair {
    void *a, *b; /* a offered */
    uint8_t *memory;
};

static const struct channel_io *const g_io = &channel_io_ring;
static const uint8_t g_key[CHANNEL_KEY_SIZE] = {7, 7};

static struct pair pair_make(void)
{
    struct pair p = {};
    int fds[2];

    fake_boot(-1, 1);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(ring_offer(fds[0], SIZE, &p.a), 0);
    assert_int_equal(ring_take(fds[1], SIZE, &p.b), 0);
    p.memory = ((struct ring_begin *)p.a)->memory;
    return p;
}

static void pair_free(struct pair *p)
{
    g_io->close(p->a);
    if (p->b != NULL) {
        g_io->close(p->b);
    }
    fake_shutdown();
}

static void set_word(struct pair *p, size_t at, uint64_t value)
{
    memcpy(p->memory + at, &value, sizeof(value));
}

static void test_ring_bytes_go_round_in_both_directions(void **state)
{
    struct pair p = pair_make();
    uint8_t out[SIZE];
    uint8_t in[SIZE];

    assert_int_equal(g_io->recv(p.b, in, SIZE), -EAGAIN);
    for (size_t i = 0; i < 100; i++) {
        const size_t n = 8 * (1 + i * 37 % (SIZE / 8));

        memset(out, (int)i, n);
        assert_int_equal(g_io->send(p.a, out, n), n);
        assert_true(g_io->pending(p.b));
        assert_int_equal(g_io->send(p.b, out, n), n);
        assert_int_equal(g_io->recv(p.b, in, SIZE), n);
        assert_memory_equal(in, out, n);
        assert_int_equal(g_io->recv(p.a, in, SIZE), n);
        assert_memory_equal(in, out, n);
        assert_false(g_io->pending(p.b));
    }
    pair_free(&p);
}

static void test_ring_full_takes_what_fits_and_rings_for_room(void **state)
{
    struct pair p = pair_make();
    uint8_t out[SIZE + 64] = {};
    uint8_t in[SIZE];
    uint8_t bells[8];

    assert_int_equal(g_io->send(p.a, out, sizeof(out)), SIZE);
    assert_int_equal(g_io->send(p.a, out, 8), -EAGAIN);
    assert_int_equal(g_io->recv(p.b, in, 16), 16);
    assert_int_equal(recv(g_io->fd(p.a), bells, sizeof(bells), MSG_DONTWAIT), 1);
    assert_int_equal(g_io->send(p.a, out, 64), 16);
    pair_free(&p);
}

/* Who sleeps is rung for once, who looks is not. */
static void test_ring_rings_for_who_does_not_look(void **state)
{
    struct pair p = pair_make();
    uint8_t word[8] = {};
    uint8_t bells[8];
    const int fd = g_io->fd(p.b);

    g_io->look(p.b, true);
    assert_int_equal(g_io->send(p.a, word, 8), 8);
    assert_int_equal(recv(fd, bells, sizeof(bells), MSG_DONTWAIT), -1);
    g_io->nudge(p.a); /* it was not fetched */
    assert_int_equal(recv(fd, bells, sizeof(bells), MSG_DONTWAIT), 1);
    g_io->look(p.b, false);
    assert_int_equal(g_io->send(p.a, word, 8), 8);
    assert_int_equal(g_io->send(p.a, word, 8), 8);
    assert_int_equal(recv(fd, bells, sizeof(bells), MSG_DONTWAIT), 1);
    pair_free(&p);
}

static void test_ring_end_of_the_stream_comes_after_its_bytes(void **state)
{
    struct pair p = pair_make();
    uint8_t word[8] = {1};

    assert_int_equal(g_io->send(p.b, word, 8), 8);
    g_io->close(p.b);
    p.b = NULL;
    assert_int_equal(g_io->recv_wait(p.a, word, 8, false), 8);
    assert_int_equal(g_io->recv_wait(p.a, word, 8, false), 0);
    pair_free(&p);
}

static void test_ring_impossible_positions_are_refused(void **state)
{
    static const uint64_t wrong[] = {SIZE + 8, UINT64_MAX, 1ull << 63, 1ull << 32};
    uint8_t word[8] = {};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct pair p = pair_make();

        set_word(&p, TAIL, wrong[i]); /* more than there is room for */
        assert_int_equal(g_io->recv(p.b, word, 8), -EIO);
        set_word(&p, HEAD, 8 * (i + 1)); /* read what was never written */
        assert_int_equal(g_io->send(p.a, word, 8), -EIO);
        pair_free(&p);
    }
    struct pair p = pair_make();

    set_word(&p, TAIL, 4); /* half a word */
    assert_int_equal(g_io->recv(p.b, word, 8), -EIO);
    pair_free(&p);
}

/* A channel over it: any byte of the memory changed on its way is no message, or changes nothing
 * but who is rung for. */
static void test_ring_each_flipped_byte_is_found(void **state)
{
    size_t refused = 0;

    for (size_t at = 0; at < NACRE_PAGE_SIZE + 64; at += at < 256 ? 1 : 5) {
        struct pair p = pair_make();
        struct channel *c = aligned_alloc(64, (2 * sizeof(*c) + 63) / 64 * 64);
        const struct channel_part part = {.p = "secret", .size = 6};
        uint8_t *q = NULL;
        size_t size = 0;

        assert_int_equal(channel_init(&c[0], g_key, "t", CHANNEL_ROLE_A, g_io, p.a), 0);
        assert_int_equal(channel_init(&c[1], g_key, "t", CHANNEL_ROLE_B, g_io, p.b), 0);
        assert_int_equal(channel_post(&c[0], &part, 1), 0);
        assert_null(memmem(p.memory, MEMORY, "secret", 6));
        p.memory[at] ^= 0x10;
        const int r = channel_receive(&c[1], CHANNEL_NOWAIT, &q, &size);

        if (r == 1) {
            assert_int_equal(size, 6);
            assert_memory_equal(q, "secret", 6);
        } else {
            refused++;
            assert_true(r == -EBADMSG || r == -EIO || r == -EAGAIN);
        }
        /* the frame is 32 bytes behind the first page */
        assert_true(at < NACRE_PAGE_SIZE || at >= NACRE_PAGE_SIZE + 32 || r == -EBADMSG ||
                    r == -EAGAIN);
        channel_destroy(&c[0]);
        channel_destroy(&c[1]);
        free(c);
        fake_shutdown();
    }
    assert_true(refused > 8);
}

static void test_ring_peer_without_memory_is_told_from_one_that_is_late(void **state)
{
    void *ctx = NULL;
    int fds[2];

    fake_boot(-1, 1);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(ring_take(fds[1], SIZE, &ctx), -EAGAIN);
    assert_int_equal(send(fds[0], "n", 1, 0), 1);
    assert_int_equal(ring_take(fds[1], SIZE, &ctx), -ENODATA);
    close(fds[0]);
    assert_int_equal(ring_take(fds[1], SIZE, &ctx), -ECONNRESET);
    assert_null(ctx);
    close(fds[1]);
    fake_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ring_bytes_go_round_in_both_directions),
        cmocka_unit_test(test_ring_full_takes_what_fits_and_rings_for_room),
        cmocka_unit_test(test_ring_rings_for_who_does_not_look),
        cmocka_unit_test(test_ring_end_of_the_stream_comes_after_its_bytes),
        cmocka_unit_test(test_ring_impossible_positions_are_refused),
        cmocka_unit_test(test_ring_each_flipped_byte_is_found),
        cmocka_unit_test(test_ring_peer_without_memory_is_told_from_one_that_is_late),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
