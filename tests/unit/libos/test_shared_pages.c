/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* The owner's directory of shared pages and its list of futex waiters: a model of members plays
 * random games with it, and ill-formed messages get nowhere. */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libos/shm/directory.h"
#include "libos/shm/futexes.h"
#include "unit/libos/fake_kernel.h"

#define MEMBERS 10u /* more than READERS_MAX, so that copies are taken away for room */
#define PAGES   3u
#define QUEUE   256u

enum has { NOTHING, COPY, ALONE };

struct sent {
    struct shm_head h;
    uint64_t value;
};

static struct {
    bool dead;
    enum has has[PAGES];
    uint64_t value[PAGES];
    bool asked[PAGES];
    struct sent queue[QUEUE];
    uint32_t first, count;
} g_members[MEMBERS];
static uint64_t g_latest[PAGES];
static bool g_lost[PAGES];
static uint64_t g_object;

static bool deliver(uint32_t member, const struct shm_head *h, const uint8_t *content)
{
    struct sent *s;

    assert_true(member < MEMBERS);
    assert_int_equal(content != NULL, shm_has_content(h));
    if (g_members[member].dead) {
        return false;
    }
    assert_true(g_members[member].count < QUEUE);
    s = &g_members[member].queue[(g_members[member].first + g_members[member].count++) % QUEUE];
    *s = (struct sent){.h = *h};
    if (content != NULL) {
        memcpy(&s->value, content, sizeof(s->value));
    }
    return true;
}

static int setup(void **state)
{
    fake_boot(-1, 0);
    memset(g_members, 0, sizeof(g_members));
    memset(g_latest, 0, sizeof(g_latest));
    memset(g_lost, 0, sizeof(g_lost));
    directory_start(deliver);
    assert_int_equal(directory_create(0, PAGES, &g_object), 0);
    for (uint32_t m = 1; m < MEMBERS; m++) {
        uint64_t pages = 0;

        assert_int_equal(directory_attach(m, g_object, &pages), 0);
        assert_int_equal(pages, PAGES);
    }
    for (uint32_t i = 0; i < PAGES; i++) {
        g_members[0].has[i] = ALONE;
    }
    return 0;
}

static int teardown(void **state)
{
    directory_forget();
    futexes_forget();
    assert_int_equal(directory_count(), 0);
    fake_shutdown();
    return 0;
}

static int say(uint32_t m, uint32_t op, uint32_t flags, uint64_t page, uint64_t a, uint64_t value)
{
    uint64_t content[NACRE_PAGE_SIZE / sizeof(uint64_t)] = {value};
    const struct shm_head h = {
        .op = op, .flags = flags, .object = g_object, .page = page, .a = a, .b = 1};

    return directory_take(m, &h, (const uint8_t *)content,
                          shm_has_content(&h) ? sizeof(content) : 0);
}

static void say_content(uint32_t m, uint32_t flags, uint64_t page, uint64_t a)
{
    const uint64_t value = g_members[m].value[page];

    assert_int_equal(say(m, SHM_CONTENT, flags | (value == 0 ? SHM_ZERO : 0), page, a, value), 0);
    g_members[m].has[page] = (flags & SHM_KEPT) != 0 ? COPY : NOTHING;
}

/* What a member does with a message. */
static void hear(uint32_t m)
{
    const struct sent s = g_members[m].queue[g_members[m].first];
    const uint64_t page = s.h.page;

    g_members[m].first = (g_members[m].first + 1) % QUEUE;
    g_members[m].count--;
    switch (s.h.op) {
    case SHM_GRANT:
        assert_true(g_members[m].asked[page]);
        g_members[m].asked[page] = false;
        g_members[m].has[page] = (s.h.flags & SHM_WRITE) != 0 ? ALONE : COPY;
        g_members[m].value[page] = s.value;
        break;
    case SHM_RECALL:
        if (g_members[m].has[page] == ALONE) {
            say_content(m, (s.h.flags & SHM_WRITE) != 0 || rand() % 4 == 0 ? 0 : SHM_KEPT, page,
                        s.h.a);
        } else {
            g_members[m].has[page] = NOTHING;
            assert_int_equal(say(m, SHM_ACK, 0, page, s.h.a, 0), 0);
        }
        break;
    case SHM_LOST:
        assert_true(g_lost[page]);
        g_members[m].asked[page] = false;
        break;
    default: fail_msg("operation %u", s.h.op);
    }
}

/* One holder alone or any number of readers, and everybody who can read reads the latest. */
static void look(void)
{
    for (uint32_t i = 0; i < PAGES; i++) {
        uint32_t alone = 0;
        uint32_t copies = 0;

        for (uint32_t m = 0; m < MEMBERS; m++) {
            if (g_members[m].dead || g_members[m].has[i] == NOTHING) {
                continue;
            }
            alone += g_members[m].has[i] == ALONE;
            copies += g_members[m].has[i] == COPY;
            assert_int_equal(g_members[m].value[i], g_latest[i]);
        }
        assert_true(alone <= 1 && (alone == 0 || copies == 0));
        assert_true(copies <= READERS_MAX);
    }
}

static void die(uint32_t m)
{
    for (uint32_t i = 0; i < PAGES; i++) {
        /* A grant on its way to it counts as well. */
        for (uint32_t k = 0; k < g_members[m].count; k++) {
            const struct shm_head *h = &g_members[m].queue[(g_members[m].first + k) % QUEUE].h;

            g_lost[i] |= h->op == SHM_GRANT && h->page == i && (h->flags & SHM_WRITE) != 0;
        }
        g_lost[i] |= g_members[m].has[i] == ALONE;
    }
    g_members[m].dead = true;
    directory_gone(m);
}

static void act(uint32_t m)
{
    const uint32_t page = (uint32_t)rand() % PAGES;
    const bool write = rand() % 2 == 0;

    if (g_members[m].dead) {
        return;
    }
    if (g_members[m].count > 0 && rand() % 2 == 0) {
        hear(m);
    } else if (g_members[m].has[page] == ALONE && rand() % 8 == 0) {
        say_content(m, 0, page, 0); /* unmapped */
    } else if (g_members[m].has[page] == ALONE) {
        g_members[m].value[page] = ++g_latest[page];
    } else if (g_members[m].has[page] == COPY && rand() % 8 == 0) {
        g_members[m].has[page] = NOTHING; /* dropped without a word */
    } else if (!g_members[m].asked[page] && (g_members[m].has[page] == NOTHING || write)) {
        g_members[m].asked[page] = true;
        assert_int_equal(say(m, SHM_REQUEST, write ? SHM_WRITE : 0, page, 0, 0), 0);
    }
}

/* Everything that is under way comes to its end: nobody waits for ever. */
static void settle(void)
{
    bool more = true;

    while (more) {
        more = false;
        for (uint32_t m = 0; m < MEMBERS; m++) {
            while (!g_members[m].dead && g_members[m].count > 0) {
                hear(m);
                more = true;
            }
        }
    }
    for (uint32_t m = 0; m < MEMBERS; m++) {
        for (uint32_t i = 0; i < PAGES && !g_members[m].dead; i++) {
            assert_false(g_members[m].asked[i]);
        }
    }
}

static void play(unsigned seed, bool deaths)
{
    srand(seed);
    for (int i = 0; i < 3000; i++) {
        act((uint32_t)rand() % MEMBERS);
        look();
        if (deaths && rand() % 500 == 0) {
            die(1 + (uint32_t)rand() % (MEMBERS - 1));
        }
    }
    settle();
    look();
}

static void test_games(void **state)
{
    for (unsigned seed = 1; seed <= 20; seed++) {
        play(seed, /*deaths=*/false);
        teardown(NULL);
        setup(NULL);
    }
}

static void test_deaths(void **state)
{
    for (unsigned seed = 1; seed <= 40; seed++) {
        play(seed, /*deaths=*/true);
        teardown(NULL);
        setup(NULL);
    }
}

static void test_lost_stays_lost(void **state)
{
    g_members[1].asked[0] = true;
    assert_int_equal(say(1, SHM_REQUEST, SHM_WRITE, 0, 0, 0), 0);
    settle();
    assert_int_equal(g_members[1].has[0], ALONE);
    die(1);
    for (int i = 0; i < 2; i++) {
        g_members[2].asked[0] = true;
        assert_int_equal(say(2, SHM_REQUEST, 0, 0, 0, 0), 0);
        settle();
        assert_int_equal(g_members[2].has[0], NOTHING);
    }
    /* Others are not touched by it. */
    g_members[2].asked[1] = true;
    assert_int_equal(say(2, SHM_REQUEST, SHM_WRITE, 1, 0, 0), 0);
    settle();
    assert_int_equal(g_members[2].has[1], ALONE);
}

/* The creator leaves in order: what it never touched is zeros, not lost. */
static void test_zeros(void **state)
{
    const struct shm_head zeros = {.op = SHM_ZEROS, .object = g_object, .b = PAGES};

    assert_int_equal(directory_take(0, &zeros, NULL, 0), 0);
    assert_int_equal(say(0, SHM_DETACH, 0, 0, 1, 0), 0);
    die(0);
    memset(g_lost, 0, sizeof(g_lost));
    for (uint32_t i = 0; i < PAGES; i++) {
        g_members[3].asked[i] = true;
        assert_int_equal(say(3, SHM_REQUEST, SHM_WRITE, i, 0, 0), 0);
    }
    settle();
    assert_int_equal(g_members[3].has[PAGES - 1], ALONE);
    assert_int_equal(g_members[3].value[PAGES - 1], 0);
}

static void test_big(void **state)
{
    struct shm_head h = {.op = SHM_ZEROS, .b = 1000};
    uint64_t id = 0;

    assert_int_equal(directory_create(0, SHM_PAGES_MAX + 1, &id), -EINVAL);
    assert_int_equal(directory_create(0, 0, &id), -EINVAL);
    assert_int_equal(directory_create(0, 1000, &id), 0);
    h.object = id;
    assert_int_equal(directory_take(0, &h, NULL, 0), 0);
    h.b = 1001;
    assert_int_equal(directory_take(0, &h, NULL, 0), -EBADMSG);
    h = (struct shm_head){.op = SHM_DETACH, .object = id, .a = 1};
    assert_int_equal(directory_take(0, &h, NULL, 0), 0);
    assert_int_equal(directory_count(), 1);
    assert_int_equal(directory_take(0, &h, NULL, 0), 0); /* late */
}

static void test_hostile(void **state)
{
    static const uint8_t page[NACRE_PAGE_SIZE];
    const struct {
        const char *what;
        struct shm_head h;
        size_t size;
    } bad[] = {
        {"no operation", {.object = 1}, 0},
        {"an operation of the owner's", {.op = SHM_GRANT, .flags = SHM_ZERO, .object = 1}, 0},
        {"unknown operation", {.op = 99, .object = 1}, 0},
        {"unknown flags", {.op = SHM_REQUEST, .flags = 8, .object = 1}, 0},
        {"flags of another operation", {.op = SHM_REQUEST, .flags = SHM_ZERO, .object = 1}, 0},
        {"content where none belongs", {.op = SHM_REQUEST, .object = 1}, NACRE_PAGE_SIZE},
        {"content missing", {.op = SHM_CONTENT, .object = 1}, 0},
        {"half a page", {.op = SHM_CONTENT, .object = 1}, 2048},
        {"zeros with content", {.op = SHM_CONTENT, .flags = SHM_ZERO, .object = 1}, 4096},
        {"object 0", {.op = SHM_REQUEST}, 0},
        {"an object to come", {.op = SHM_REQUEST, .object = 1000000}, 0},
        {"a page behind the end", {.op = SHM_REQUEST, .object = 1, .page = PAGES}, 0},
        {"a page far behind", {.op = SHM_REQUEST, .object = 1, .page = UINT64_MAX}, 0},
        {"what it does not hold", {.op = SHM_CONTENT, .object = 1}, NACRE_PAGE_SIZE},
        {"an answer to nothing", {.op = SHM_ACK, .object = 1}, 0},
        {"no zeros", {.op = SHM_ZEROS, .object = 1}, 0},
        {"zeros behind the end", {.op = SHM_ZEROS, .object = 1, .page = 1, .b = PAGES}, 0},
        {"zeros that wrap", {.op = SHM_ZEROS, .object = 1, .page = 2, .b = UINT64_MAX}, 0},
        {"no detachment", {.op = SHM_DETACH, .object = 1}, 0},
        {"more than it has", {.op = SHM_DETACH, .object = 1, .a = 2}, 0},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct shm_head h = bad[i].h;

        h.object = h.object == 1 ? g_object : h.object;
        if (directory_take(2, &h, page, bad[i].size) != -EBADMSG) {
            fail_msg("%s was taken", bad[i].what);
        }
    }
    assert_int_equal(say(0, SHM_REQUEST, 0, 0, 0, 0), -EBADMSG); /* it holds it */
    assert_int_equal(say(2, SHM_REQUEST, 0, 0, 0, 0), 0);
    assert_int_equal(say(2, SHM_REQUEST, 0, 0, 0, 0), -EBADMSG);  /* twice */
    assert_int_equal(say(99, SHM_REQUEST, 0, 0, 0, 0), -EBADMSG); /* no part of it */
    /* Answers to recalls that are not the latest change nothing. */
    assert_int_equal(say(0, SHM_ACK, 0, 0, 12345, 0), 0);
    assert_int_equal(say(3, SHM_CONTENT, 0, 0, 12345, 7), 0);
    g_members[2].asked[0] = true;
    settle();
    assert_int_equal(g_members[2].has[0], COPY);
}

/* ---- futexes ---- */

static int ask(uint32_t m, struct shm_head h)
{
    h.object = g_object;
    return futexes_take(m, &h, deliver);
}

static struct shm_head heard(uint32_t m)
{
    struct shm_head h;

    assert_true(g_members[m].count > 0);
    h = g_members[m].queue[g_members[m].first].h;
    g_members[m].first = (g_members[m].first + 1) % QUEUE;
    g_members[m].count--;
    return h;
}

static void test_futexes(void **state)
{
    for (uint32_t m = 1; m <= 4; m++) {
        assert_int_equal(ask(m, (struct shm_head){.op = SHM_FUTEX_WAIT,
                                                  .page = 64,
                                                  .a = 70 + m,
                                                  .b = m == 1 ? 2 : 1}),
                         0);
    }
    assert_int_equal(
        ask(5, (struct shm_head){.op = SHM_FUTEX_WAKE, .page = 64, .a = 9, .b = 2, .d = 5}), 0);
    assert_int_equal(heard(5).a, 1);
    assert_int_equal(heard(1).a, 71);
    assert_int_equal(ask(5, (struct shm_head){.op = SHM_FUTEX_REQUEUE,
                                              .page = 64,
                                              .a = 1,
                                              .b = 1,
                                              .c = 128,
                                              .e = g_object,
                                              .d = 6}),
                     0);
    assert_int_equal(heard(5).a, (1ull << 32) + 1);
    assert_int_equal(heard(2).op, SHM_WOKEN);
    assert_int_equal(ask(3, (struct shm_head){.op = SHM_FUTEX_CANCEL, .page = 64, .a = 73}), 0);
    assert_int_equal(heard(3).a, 1); /* it was waiting, at the second word */
    assert_int_equal(ask(2, (struct shm_head){.op = SHM_FUTEX_CANCEL, .page = 64, .a = 72}), 0);
    assert_int_equal(heard(2).a, 0); /* woken before */
    futexes_gone(4);
    assert_int_equal(
        ask(5, (struct shm_head){.op = SHM_FUTEX_WAKE, .page = 64, .a = 9, .b = 1, .d = 7}), 0);
    assert_int_equal(heard(5).a, 0);
}

static void test_hostile_futexes(void **state)
{
    const struct shm_head bad[] = {
        {.op = SHM_FUTEX_WAIT, .page = 2, .b = 1},
        {.op = SHM_FUTEX_WAIT, .page = 4},
        {.op = SHM_FUTEX_WAIT, .page = 4, .b = 1ull << 32},
        {.op = SHM_FUTEX_WAIT, .page = 4, .b = 1, .flags = 1},
        {.op = SHM_FUTEX_REQUEUE, .page = 4},
        {.op = SHM_FUTEX_REQUEUE, .page = 4, .e = 1, .c = 3},
        {.op = SHM_FUTEX_REQUEUE, .page = 4, .e = 1, .a = 1ull << 31},
        {.op = SHM_REQUEST},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(ask(1, bad[i]), -EBADMSG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_games, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deaths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lost_stays_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(test_zeros, setup, teardown),
        cmocka_unit_test_setup_teardown(test_big, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
        cmocka_unit_test_setup_teardown(test_futexes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile_futexes, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
