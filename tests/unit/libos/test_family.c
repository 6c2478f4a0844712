/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Owner and members in real processes: each test forks children that join over real sockets. */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi/hostcall.h"
#include "libos/family/rpc_internal.h"
#include "libos/host/host.h"
#include "unit/libos/fake_host.h"
#include "unit/libos/fake_kernel.h"
#include "unit/unit.h"

#define CHECK(c)                                                      \
    do {                                                              \
        if (!(c)) {                                                   \
            fprintf(stderr, "# member: line %d: " #c "\n", __LINE__); \
            _exit(1);                                                 \
        }                                                             \
    } while (0)

/* A child forked before there is any other thread; it waits for its ticket. */
struct child {
    pid_t pid;
    int ticket_fd;
};

static struct child fork_child(void (*body)(const struct family_ticket *t))
{
    int fds[2];
    struct child c;

    assert_int_equal(pipe(fds), 0);
    c.pid = fork();
    if (c.pid == 0) {
        struct family_ticket t;

        close(fds[1]);
        if (read(fds[0], &t, sizeof(t)) != sizeof(t)) {
            _exit(3);
        }
        body(&t);
        _exit(0);
    }
    close(fds[0]);
    c.ticket_fd = fds[1];
    return c;
}

static uint32_t give_ticket(const struct child *c)
{
    struct family_ticket t;

    assert_int_equal(family_become_owner(), 0);
    assert_int_equal(family_new_member(&t), 0);
    assert_int_equal(write(c->ticket_fd, &t, sizeof(t)), sizeof(t));
    close(c->ticket_fd);
    return t.member;
}

static void reap(const struct child *c)
{
    int status = -1;

    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    assert_int_equal(status, 0);
}

/* ---- handlers ---- */

static uint32_t g_gone;
static uint32_t g_gone_orderly;
static uint32_t g_cancels;
static uint64_t g_acked;
static struct family_reply *g_kept;

static void on_gone(uint32_t member, bool orderly)
{
    g_gone_orderly += orderly ? 1 : 0;
    __atomic_add_fetch(&g_gone, 1, __ATOMIC_RELEASE);
}

static void on_ack(uint32_t member, uint64_t value)
{
    __atomic_store_n(&g_acked, value, __ATOMIC_RELEASE);
}

static void on_cancel(struct family_reply *reply, void *ctx)
{
    __atomic_store_n(&g_kept, NULL, __ATOMIC_RELEASE);
    __atomic_add_fetch(&g_cancels, 1, __ATOMIC_RELEASE);
    family_answer(reply, -EINTR, NULL, 0);
}

/* 'l': answered later, 'w': wants to wait, 'e': an error with a text. */
static int64_t serve_test(struct family_request *q)
{
    uint8_t what = 0;

    if (cursor_u8(&q->body, &what) < 0) {
        return -EINVAL;
    }
    switch (what) {
    case 'l':
        g_kept = family_later(q, on_cancel, NULL);
        return g_kept == NULL ? -ENOMEM : FAMILY_LATER;
    case 'w':
        if (!q->may_block) {
            return FAMILY_BLOCKS;
        }
        usleep(100000);
        q->answer_size = q->body.left;
        memcpy(q->answer, q->body.p, q->body.left);
        return 7;
    case 'e':
        q->answer_size = 4;
        memcpy(q->answer, "text", 4);
        return -ENOTDIR;
    default: return -EINVAL;
    }
}

static uint64_t g_live;

static void prepare(void **state)
{
    g_live = fake_alloc_live();
    fake_boot(-1, 1);
    g_gone = 0;
    g_gone_orderly = 0;
    g_cancels = 0;
    g_acked = 0;
    g_kept = NULL;
}

static void await(uint32_t *what, uint32_t count)
{
    for (int i = 0; i < 5000 && __atomic_load_n(what, __ATOMIC_ACQUIRE) < count; i++) {
        usleep(1000);
    }
    assert_int_equal(__atomic_load_n(what, __ATOMIC_ACQUIRE), count);
}

static void finish(void)
{
    family_reset();
    fake_shutdown();
    assert_int_equal(fake_alloc_live(), g_live);
}

/* ---- ping, sizes ---- */

static void child_pings(const struct family_ticket *t)
{
    static uint8_t out[FAMILY_ANSWER_MAX];
    static uint8_t back[FAMILY_ANSWER_MAX];
    size_t size = 0;

    CHECK(family_join(t) == 0);
    CHECK(family_self() == t->member && family_role() == FAMILY_MEMBER);
    for (size_t i = 0; i < sizeof(out); i++) {
        out[i] = (uint8_t)(i * 31);
    }
    CHECK(family_call(FAMILY_OP_ping, "abc", 3, back, 2, &size) == 3);
    CHECK(size == 2 && memcmp(back, "ab", 2) == 0);
    CHECK(family_call(FAMILY_OP_ping, out, sizeof(out), back, sizeof(back), &size) ==
          (int64_t)sizeof(out));
    CHECK(size == sizeof(out) && memcmp(out, back, size) == 0);
    for (int i = 0; i < 200; i++) {
        CHECK(family_call(FAMILY_OP_ping, &i, sizeof(i), back, sizeof(back), &size) == 4);
        CHECK(memcmp(&i, back, 4) == 0);
    }
    CHECK(family_call(FAMILY_OP_forget_member, "x", 1, NULL, 0, NULL) == -EBADMSG);
    CHECK(family_call(FAMILY_OP_COUNT, NULL, 0, NULL, 0, NULL) == -ENOSYS);
    family_leave();
}

static void test_family_member_calls_owner(void **state)
{
    struct child c;

    prepare(state);
    c = fork_child(child_pings);
    (void)give_ticket(&c);
    family_on_member_gone(on_gone);
    reap(&c);
    await(&g_gone, 1);
    assert_int_equal(g_gone_orderly, 1);
    finish();
}

/* Without memory between the processes all goes over the sockets. */
static void child_without_memory(const struct family_ticket *t)
{
    fake_host_lie_about(HOSTCALL_share_offer);
    fake_host_lie(0, LIE_EIO);
    child_pings(t);
    CHECK(fake_host_calls_of(HOSTCALL_share_offer) == 2);
}

static void test_family_host_that_has_no_memory_to_share(void **state)
{
    struct child c;

    prepare(state);
    c = fork_child(child_without_memory);
    (void)give_ticket(&c);
    family_on_member_gone(on_gone);
    reap(&c);
    await(&g_gone, 1);
    assert_int_equal(g_gone_orderly, 1);
    finish();
}

static void test_family_owner_calls_itself(void **state)
{
    char back[8];
    size_t size = 0;

    prepare(state);
    assert_int_equal(family_become_owner(), 0);
    assert_int_equal(family_become_owner(), 0);
    assert_int_equal(family_self(), FAMILY_OWNER_ID);
    assert_int_equal(family_call(FAMILY_OP_ping, "self", 4, back, sizeof(back), &size), 4);
    assert_memory_equal(back, "self", 4);
    finish();
}

/* ---- errors, waiting, later ---- */

static void child_waits(const struct family_ticket *t)
{
    char back[16];
    size_t size = 0;

    CHECK(family_join(t) == 0);
    CHECK(family_call(FAMILY_OP_ping, "e", 1, back, sizeof(back), &size) == -ENOTDIR);
    CHECK(size == 4 && memcmp(back, "text", 4) == 0);
    CHECK(family_call(FAMILY_OP_ping, "wait", 4, back, sizeof(back), &size) == 7);
    CHECK(size == 3 && memcmp(back, "ait", 3) == 0);
    CHECK(family_call(FAMILY_OP_ping, "l", 1, back, sizeof(back), &size) == 42);
    CHECK(size == 5 && memcmp(back, "later", 5) == 0);
    fake_pend_signal(1); /* a signal is waiting: the call is cancelled */
    CHECK(family_call(FAMILY_OP_ping, "l", 1, back, sizeof(back), &size) == -EINTR);
    fake_pend_signal(0);
    CHECK(family_call(FAMILY_OP_ping, "e", 1, back, sizeof(back), &size) == -ENOTDIR);
    CHECK(family_call(FAMILY_OP_ping, "l", 1, back, sizeof(back), &size) == 43);
    _exit(0); /* without a farewell */
}

static void answer_kept(int64_t result)
{
    struct family_reply *reply = NULL;

    for (int i = 0; i < 5000 && reply == NULL; i++) {
        reply = __atomic_exchange_n(&g_kept, NULL, __ATOMIC_ACQ_REL);
        usleep(1000);
    }
    assert_non_null(reply);
    family_answer(reply, result, "later", 5);
}

static void test_family_later_blocking_and_cancelled_calls(void **state)
{
    struct child c;

    prepare(state);
    c = fork_child(child_waits);
    assert_int_equal(family_become_owner(), 0);
    family_serve(FAMILY_OP_ping, serve_test);
    family_on_member_gone(on_gone);
    (void)give_ticket(&c);
    answer_kept(42);
    await(&g_cancels, 1);
    answer_kept(43);
    reap(&c);
    await(&g_gone, 1);
    assert_int_equal(g_gone_orderly, 0);
    finish();
}

/* ---- many threads ---- */

static void *call_thread(void *arg)
{
    char back[16];
    char text[16];
    size_t size = 0;

    fake_thread_begin((int)(intptr_t)arg);
    for (int i = 0; i < 100; i++) {
        int n = snprintf(text, sizeof(text), "%s%d", i % 25 == 0 ? "w" : "p", (int)(intptr_t)arg);

        if (text[0] == 'w') {
            CHECK(family_call(FAMILY_OP_ping, text, (size_t)n, back, sizeof(back), &size) == 7);
            CHECK((int)size == n - 1 && memcmp(back, text + 1, size) == 0);
        } else {
            CHECK(family_call(FAMILY_OP_forget_member, &(uint32_t){0xffffff}, 4, NULL, 0, NULL) ==
                  0);
        }
    }
    fake_thread_end();
    return NULL;
}

static void child_threads(const struct family_ticket *t)
{
    pthread_t threads[6];

    CHECK(family_join(t) == 0);
    for (int i = 0; i < 6; i++) {
        CHECK(pthread_create(&threads[i], NULL, call_thread, (void *)(intptr_t)(10 + i)) == 0);
    }
    for (int i = 0; i < 6; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    family_leave();
}

static void test_family_threads_of_two_members_at_once(void **state)
{
    struct child a;
    struct child b;

    prepare(state);
    a = fork_child(child_threads);
    b = fork_child(child_threads);
    assert_int_equal(family_become_owner(), 0);
    family_serve(FAMILY_OP_ping, serve_test);
    assert_int_not_equal(give_ticket(&a), give_ticket(&b));
    reap(&a);
    reap(&b);
    finish();
}

/* ---- events ---- */

static char g_heard[64];
static uint32_t g_told;

static void hear(const uint8_t *p, size_t size)
{
    memcpy(g_heard, p, size);
    (void)!family_ack(size);
    __atomic_store_n(&g_told, 1, __ATOMIC_RELEASE);
}

static void child_hears(const struct family_ticket *t)
{
    char back[8];

    family_hear(FAMILY_EVENT_ping, hear);
    CHECK(family_join(t) == 0);
    CHECK(family_call(FAMILY_OP_ping, "go", 2, back, sizeof(back), NULL) == 2);
    for (int i = 0; i < 5000 && __atomic_load_n(&g_told, __ATOMIC_ACQUIRE) == 0; i++) {
        usleep(1000);
    }
    CHECK(memcmp(g_heard, "event", 5) == 0);
    family_leave();
}

static void test_family_event_reaches_member_and_is_acknowledged(void **state)
{
    struct child c;
    uint32_t id;
    int r = -ESRCH;

    prepare(state);
    c = fork_child(child_hears);
    id = give_ticket(&c);
    family_on_ack(on_ack);
    for (int i = 0; i < 5000 && r == -ESRCH; i++) {
        r = family_notify(id, FAMILY_EVENT_ping, "event", 5);
        usleep(1000);
    }
    assert_int_equal(r, 0);
    reap(&c);
    for (int i = 0; i < 5000 && __atomic_load_n(&g_acked, __ATOMIC_ACQUIRE) == 0; i++) {
        usleep(1000);
    }
    assert_int_equal(__atomic_load_n(&g_acked, __ATOMIC_ACQUIRE), 5);
    assert_int_equal(family_notify(id + 100, FAMILY_EVENT_ping, "x", 1), -ESRCH);
    finish();
}

/* ---- strangers ---- */

static int connect_to(const struct family_ticket *t)
{
    struct family_address address;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    family_address(t->name, &address);
    assert_int_equal(connect(fd, (const struct sockaddr *)(const void *)&address, sizeof(address)),
                     0);
    return fd;
}

static bool hung_up(int fd)
{
    char byte;

    return recv(fd, &byte, 1, 0) <= 0;
}

static void test_family_strangers_are_turned_away(void **state)
{
    struct family_ticket t;
    struct greeting g = {.magic = GREETING_MAGIC, .which = GREETING_CALLS};
    uint8_t junk[64];
    int fd;

    prepare(state);
    assert_int_equal(family_become_owner(), 0);
    assert_int_equal(family_new_member(&t), 0);
    memset(junk, 0x41, sizeof(junk));
    fd = connect_to(&t); /* no greeting at all */
    assert_int_equal(send(fd, junk, sizeof(junk), 0), sizeof(junk));
    assert_true(hung_up(fd));
    close(fd);
    fd = connect_to(&t); /* a member that does not exist */
    g.member = 77;
    assert_int_equal(send(fd, &g, sizeof(g), 0), sizeof(g));
    assert_true(hung_up(fd));
    close(fd);
    fd = connect_to(&t); /* one that does, without its key */
    g.member = t.member;
    assert_int_equal(send(fd, &g, sizeof(g), 0), sizeof(g));
    assert_int_equal(send(fd, "\x05\0\0\0\x01\0\0\0AAAAAaaaaaaaaaaaaaaaa", 29, 0), 29);
    assert_true(hung_up(fd));
    close(fd);
    for (int i = 0; i < 100; i++) { /* crowds that say nothing do not keep others out */
        fd = connect_to(&t);
        if (i < 60) {
            close(fd);
        }
    }
    family_forget_member(t.member);
    family_forget_member(t.member);
    finish();
}

static void child_doubles(const struct family_ticket *t)
{
    struct greeting g = {.magic = GREETING_MAGIC, .member = t->member, .which = GREETING_CALLS};
    char back[4];
    int fd;

    CHECK(family_join(t) == 0);
    /* the same key a second time, as a host that recorded the first would try */
    fd = connect_to(t);
    CHECK(send(fd, &g, sizeof(g), 0) == sizeof(g));
    struct channel *again = aligned_alloc(64, 4096);
    const struct channel_part hello = {HELLO, HELLO_SIZE};

    CHECK(channel_init(again, t->key, LABEL_CALLS, CHANNEL_ROLE_B, &channel_io_host,
                       channel_host_ctx(fd)) == 0);
    (void)!channel_send(again, &hello, 1); /* the greeting alone may have been enough */
    CHECK(hung_up(fd));
    CHECK(family_call(FAMILY_OP_ping, "ok", 2, back, sizeof(back), NULL) == 2);
    family_leave();
}

/* Silent connections on every place: who has a key comes in all the same, and its key goes. */
static void test_family_crowds_do_not_keep_a_member_out(void **state)
{
    static const uint8_t zeros[CHANNEL_KEY_SIZE];
    int crowd[80];
    struct family_ticket t;
    struct member *m;
    struct child c;

    prepare(state);
    c = fork_child(child_pings);
    assert_int_equal(family_become_owner(), 0);
    assert_int_equal(family_new_member(&t), 0);
    for (size_t i = 0; i < ARRAY_COUNT(crowd); i++) {
        crowd[i] = connect_to(&t);
    }
    m = member_find(t.member);
    assert_non_null(m);
    assert_memory_not_equal(m->key, zeros, sizeof(zeros));
    assert_int_equal(write(c.ticket_fd, &t, sizeof(t)), sizeof(t));
    close(c.ticket_fd);
    reap(&c);
    assert_memory_equal(m->key, zeros, sizeof(zeros));
    member_put(m);
    for (size_t i = 0; i < ARRAY_COUNT(crowd); i++) {
        close(crowd[i]);
    }
    finish();
}

static void test_family_second_connection_with_a_used_key_is_refused(void **state)
{
    struct child c;

    prepare(state);
    c = fork_child(child_doubles);
    (void)give_ticket(&c);
    reap(&c);
    finish();
}

/* ---- the owner goes ---- */

static int g_owner_gone;

static void owner_gone(void)
{
    g_owner_gone = 1;
}

static void child_survives(const struct family_ticket *t)
{
    char back[4];

    family_on_owner_gone(owner_gone);
    CHECK(family_join(t) == 0);
    for (int i = 0; i < 5000 && g_owner_gone == 0; i++) {
        usleep(1000);
    }
    CHECK(g_owner_gone == 1);
    CHECK(family_call(FAMILY_OP_ping, "x", 1, back, sizeof(back), NULL) == -EIO);
}

static void test_family_member_notices_the_owners_end(void **state)
{
    struct child c;

    prepare(state);
    c = fork_child(child_survives);
    (void)give_ticket(&c);
    usleep(100000);
    family_reset();
    reap(&c);
    fake_shutdown();
}

static void test_family_join_without_owner_fails(void **state)
{
    struct family_ticket t = {.member = 5, .name = {1, 2, 3}};

    prepare(state);
    assert_int_equal(family_join(&t), -ECONNREFUSED);
    assert_int_equal(family_role(), FAMILY_ALONE);
    finish();
}

/* An application that cannot fork for want of threads or descriptors may try as often as it likes.
 */
static void test_family_beginnings_that_fail_leave_nothing_behind(void **state)
{
    struct child c;

    prepare(state);
    c = fork_child(child_pings);
    for (uint32_t i = 0; i < 2 * FAMILY_HOOKS_MAX; i++) {
        fake_host_lie_about(HOSTCALL_socket);
        fake_host_lie(0, LIE_EIO);
        assert_int_equal(family_become_owner(), -EIO);
        assert_int_equal(family_role(), FAMILY_ALONE);
    }
    fake_host_lie(0, LIE_NONE);
    fake_host_lie_about(-1);
    (void)give_ticket(&c);
    family_on_member_gone(on_gone);
    family_on_member_gone(on_gone);
    reap(&c);
    await(&g_gone, 1);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_family_member_calls_owner),
        cmocka_unit_test(test_family_host_that_has_no_memory_to_share),
        cmocka_unit_test(test_family_owner_calls_itself),
        cmocka_unit_test(test_family_later_blocking_and_cancelled_calls),
        cmocka_unit_test(test_family_threads_of_two_members_at_once),
        cmocka_unit_test(test_family_event_reaches_member_and_is_acknowledged),
        cmocka_unit_test(test_family_strangers_are_turned_away),
        cmocka_unit_test(test_family_crowds_do_not_keep_a_member_out),
        cmocka_unit_test(test_family_second_connection_with_a_used_key_is_refused),
        cmocka_unit_test(test_family_member_notices_the_owners_end),
        cmocka_unit_test(test_family_join_without_owner_fails),
        cmocka_unit_test(test_family_beginnings_that_fail_leave_nothing_behind),
    };

    /* what is made once and kept (tables of descriptors, the file system of nameless files) */
    fake_boot(-1, 1);
    (void)!family_become_owner();
    family_reset();
    fake_shutdown();
    return cmocka_run_group_tests_name("family", tests, NULL, NULL);
}
