/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "cas/store/seal.h"
#include "cas/store/store.h"

static const uint8_t master[STORE_KEY_SIZE] = "0123456789abcdef0123456789abcde";

struct place {
    char folder[64];
    char db[96];
};

static int setup(void **state)
{
    struct place *p = calloc(1, sizeof(*p));

    (void)snprintf(p->folder, sizeof(p->folder), "/tmp/nacre-store-XXXXXX");
    if (mkdtemp(p->folder) == NULL) {
        free(p);
        return -1;
    }
    (void)snprintf(p->db, sizeof(p->db), "%s/cas.db", p->folder);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    struct place *p = *state;

    for (size_t i = 0; i < ARRAY_COUNT(ends); i++) {
        char path[128];

        (void)snprintf(path, sizeof(path), "%s%s", p->db, ends[i]);
        (void)unlink(path);
    }
    (void)rmdir(p->folder);
    free(p);
    return 0;
}

static struct store *must_open(const struct place *p)
{
    _cleanup_error_ struct error *err = NULL;
    struct store *s = NULL;

    if (store_sqlite_open(p->db, master, &s, &err) < 0) {
        fail_msg("%s", error_text(err));
    }
    return s;
}

static void fill(uint8_t *hash, uint64_t n)
{
    memset(hash, 0, POL_HASH_SIZE);
    memcpy(hash, &n, sizeof(n));
    hash[31] = 1;
}

/* Writes version `n` of a session whose document is "document n". */
static int put(struct store *s, const char *name, uint64_t from, uint64_t n)
{
    char document[64];
    uint8_t hash[POL_HASH_SIZE];
    uint8_t predecessor[POL_HASH_SIZE];
    char secret[16] = "value";
    struct cas_secret item = {
        .name = secret, .kind = SECRET_ASCII, .data = {.p = (uint8_t *)document}};
    const struct cas_secrets secrets = {.count = 1, .items = &item};
    struct store_write w = {.name = name,
                            .hash = hash,
                            .document = document,
                            .secrets = &secrets,
                            .predecessor = from != 0 ? predecessor : NULL,
                            .now = 1780000000};

    w.document_size =
        (size_t)snprintf(document, sizeof(document), "document %llu", (unsigned long long)n);
    item.data.size = w.document_size;
    fill(hash, n);
    fill(predecessor, from);
    return s->ops->put(s, &w, NULL);
}

static int remove_session(struct store *s, const char *name, uint64_t n)
{
    uint8_t hash[POL_HASH_SIZE];

    fill(hash, n);
    return s->ops->remove(s, name, hash, NULL);
}

static void expect_session(struct store *s, const char *name, uint64_t n)
{
    _cleanup_store_session_ struct store_session got = {0};
    _cleanup_secrets_ struct cas_secrets secrets = {0};
    _cleanup_error_ struct error *err = NULL;
    char document[64];
    uint8_t hash[POL_HASH_SIZE];

    fill(hash, n);
    (void)snprintf(document, sizeof(document), "document %llu", (unsigned long long)n);
    if (s->ops->get(s, name, NULL, &got, &err) < 0) {
        fail_msg("%s: %s", name, error_text(err));
    }
    assert_string_equal((char *)got.document.p, document);
    assert_memory_equal(got.hash, hash, sizeof(hash));
    assert_int_equal(s->ops->secrets(s, name, &secrets, NULL), 0);
    assert_int_equal(secrets.count, 1);
    assert_string_equal((char *)secrets.items[0].data.p, document);
}

static void test_put_get_across_reopen(void **state)
{
    const struct place *p = *state;
    struct store *s = must_open(p);
    _cleanup_store_session_ struct store_session old = {0};
    uint8_t hash[POL_HASH_SIZE];
    struct stat st;

    assert_int_equal(put(s, "a", 0, 1), 0);
    assert_int_equal(put(s, "a", 1, 2), 0);
    assert_int_equal(put(s, "b/c", 0, 7), 0);
    s->ops->close(s);
    s = must_open(p);
    expect_session(s, "a", 2);
    expect_session(s, "b/c", 7);
    fill(hash, 1); /* history stays readable by hash */
    assert_int_equal(s->ops->get(s, "a", hash, &old, NULL), 0);
    assert_string_equal((char *)old.document.p, "document 1");
    assert_int_equal(s->ops->get(s, "b/c", hash, &old, NULL), -ENOENT);
    assert_int_equal(s->ops->head(s, "a", hash, NULL), 0);
    assert_int_equal(hash[0], 2);
    assert_int_equal(s->ops->head(s, "nope", hash, NULL), -ENOENT);
    assert_int_equal(stat(p->db, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    s->ops->close(s);
}

static void test_put_concurrency_is_optimistic(void **state)
{
    _cleanup_store_ struct store *a = must_open(*state);
    _cleanup_store_ struct store *b = must_open(*state);

    assert_int_equal(put(a, "x", 0, 1), 0);
    assert_int_equal(put(b, "x", 0, 2), -EEXIST);
    assert_int_equal(put(b, "x", 1, 2), 0);
    assert_int_equal(put(a, "x", 1, 3), -ESTALE);
    assert_int_equal(put(a, "y", 1, 3), -ENOENT);
    assert_int_equal(put(a, "x", 2, 3), 0);
    expect_session(b, "x", 3);
    /* The same content twice in one history would be two versions with one name. */
    assert_true(put(a, "x", 3, 1) < 0);
    expect_session(a, "x", 3);
}

static void test_remove_only_current_and_empty(void **state)
{
    _cleanup_store_ struct store *s = must_open(*state);
    _cleanup_store_session_ struct store_session got = {0};
    _cleanup_secrets_ struct cas_secrets secrets = {0};
    uint8_t hash[POL_HASH_SIZE];

    assert_int_equal(put(s, "ns", 0, 1), 0);
    assert_int_equal(put(s, "ns/app", 0, 2), 0);
    assert_int_equal(put(s, "ns2", 0, 3), 0);
    assert_int_equal(remove_session(s, "ns", 1), -ENOTEMPTY);
    assert_int_equal(remove_session(s, "ns/app", 9), -ESTALE);
    assert_int_equal(remove_session(s, "nope", 9), -ENOENT);
    assert_int_equal(remove_session(s, "ns/app", 2), 0);
    assert_int_equal(remove_session(s, "ns", 1), 0);
    expect_session(s, "ns2", 3);
    fill(hash, 1);
    assert_int_equal(s->ops->get(s, "ns", NULL, &got, NULL), -ENOENT);
    assert_int_equal(s->ops->get(s, "ns", hash, &got, NULL), -ENOENT);
    assert_int_equal(s->ops->secrets(s, "ns", &secrets, NULL), 0);
    assert_int_equal(secrets.count, 0);
    assert_int_equal(put(s, "ns", 0, 1), 0);
    expect_session(s, "ns", 1);
}

static void test_put_secrets_only_for_current_version(void **state)
{
    _cleanup_store_ struct store *s = must_open(*state);
    _cleanup_secrets_ struct cas_secrets got = {0};
    char name[] = "cert";
    uint8_t data[] = "renewed";
    struct cas_secret item = {
        .name = name, .kind = SECRET_X509, .data = {.p = data, .size = sizeof(data) - 1}};
    const struct cas_secrets secrets = {.count = 1, .items = &item};
    uint8_t hash[POL_HASH_SIZE];

    assert_int_equal(put(s, "x", 0, 1), 0);
    fill(hash, 2);
    assert_int_equal(s->ops->put_secrets(s, "x", hash, &secrets, NULL), -ESTALE);
    fill(hash, 1);
    assert_int_equal(s->ops->put_secrets(s, "x", hash, &secrets, NULL), 0);
    assert_int_equal(s->ops->secrets(s, "x", &got, NULL), 0);
    assert_int_equal(got.count, 1);
    assert_string_equal(got.items[0].name, "cert");
    assert_string_equal((char *)got.items[0].data.p, "renewed");
    assert_int_equal(got.items[0].kind, SECRET_X509);
}

struct names {
    char text[512];
    size_t stop_after;
};

static int collect(void *ctx, const char *name, const uint8_t *hash)
{
    struct names *n = ctx;
    const size_t at = strlen(n->text);

    assert_int_equal(hash[31], 1);
    (void)snprintf(n->text + at, sizeof(n->text) - at, "%s ", name);
    return n->stop_after != 0 && --n->stop_after == 0 ? -EINTR : 0;
}

static void test_list_namespaces_in_order(void **state)
{
    static const char *const names[] = {"a",   "a/x", "a/x/y", "a-b", "a.b",
                                        "a0b", "b",   "a/z",   "~t",  "/"};
    static const struct {
        const char *namespace;
        const char *after;
        size_t limit;
        const char *want;
    } cases[] = {
        {"a", NULL, 100, "a/x a/x/y a/z "},
        {"a/x", NULL, 100, "a/x/y "},
        {"b", NULL, 100, ""},
        {"", NULL, 100, "/ a a-b a.b a/x a/x/y a/z a0b b ~t "},
        {"/", NULL, 3, "/ a a-b "},
        {"/", "a-b", 3, "a.b a/x a/x/y "},
        {"a", "a/x", 100, "a/x/y a/z "},
        {"a", "zzz", 100, ""},
    };
    _cleanup_store_ struct store *s = must_open(*state);
    struct names stop = {.stop_after = 2};
    uint64_t count;

    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        assert_int_equal(put(s, names[i], 0, i + 1), 0);
    }
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct names got = {0};

        assert_int_equal(s->ops->list(s, cases[i].namespace, cases[i].after, cases[i].limit,
                                      collect, &got, NULL),
                         0);
        assert_string_equal(got.text, cases[i].want);
    }
    assert_int_equal(s->ops->list(s, "", NULL, 100, collect, &stop, NULL), -EINTR);
    assert_int_equal(s->ops->count(s, &count, NULL), 0);
    assert_int_equal(count, ARRAY_COUNT(names));
}

static void test_open_with_another_key_refused(void **state)
{
    const struct place *p = *state;
    struct store *s = must_open(p);
    uint8_t other[STORE_KEY_SIZE];
    _cleanup_error_ struct error *err = NULL;

    s->ops->close(s);
    for (size_t i = 0; i < sizeof(other); i++) {
        memcpy(other, master, sizeof(other));
        other[i] ^= 1;
        assert_int_equal(store_sqlite_open(p->db, other, &s, &err), -EKEYREJECTED);
    }
    assert_non_null(strstr(error_text(err), "master key"));
}

static void sql(const struct place *p, const char *text)
{
    sqlite3 *db;
    char *msg = NULL;

    assert_int_equal(sqlite3_open(p->db, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, &msg) != SQLITE_OK) {
        fail_msg("%s: %s", text, msg);
    }
    assert_true(sqlite3_changes(db) > 0 || strncmp(text, "PRAGMA", 6) == 0);
    sqlite3_close(db);
}

static void test_tampered_values_do_not_open(void **state)
{
    static const char *const attacks[] = {
        /* one bit of a document */
        "UPDATE sessions SET document = CAST(substr(document, 1, 20) || x'00' || "
        "substr(document, 22) AS BLOB) WHERE name = 'a'",
        /* another session's document, with and without its version */
        "UPDATE sessions SET document = (SELECT document FROM sessions WHERE name = 'b') "
        "WHERE name = 'a'",
        "UPDATE sessions SET name = 'c' WHERE name = 'b'; UPDATE heads SET name = 'd' WHERE name = "
        "'a'; UPDATE heads SET name = 'a' WHERE name = 'b'",
        /* an older document of the same session in place of the current one */
        "UPDATE sessions SET document = (SELECT document FROM sessions WHERE name = 'a' ORDER BY "
        "version LIMIT 1) WHERE name = 'a'",
        "UPDATE sessions SET document = x'00' WHERE name = 'a'",
    };
    const struct place *p = *state;

    for (size_t i = 0; i < ARRAY_COUNT(attacks); i++) {
        struct store *s = must_open(p);
        _cleanup_store_session_ struct store_session got = {0};
        _cleanup_error_ struct error *err = NULL;

        assert_int_equal(put(s, "a", 0, 1), 0);
        assert_int_equal(put(s, "a", 1, 2), 0);
        assert_int_equal(put(s, "b", 0, 3), 0);
        s->ops->close(s);
        sql(p, attacks[i]);
        s = must_open(p);
        if (s->ops->get(s, "a", NULL, &got, &err) != -EBADMSG) {
            fail_msg("attack %zu was not noticed: %s", i, attacks[i]);
        }
        assert_non_null(strstr(error_text(err), "tampered"));
        s->ops->close(s);
        assert_int_equal(teardown(state), 0);
        assert_int_equal(setup(state), 0);
        p = *state;
    }
}

static void test_tampered_secrets_do_not_open(void **state)
{
    static const char *const attacks[] = {
        "UPDATE secrets SET data = (SELECT data FROM secrets WHERE session = 'b') WHERE session = "
        "'a'",
        "UPDATE secrets SET version = version + 1 WHERE session = 'a'",
        "UPDATE secrets SET name = 'other' WHERE session = 'a'",
        "DELETE FROM secrets WHERE session = 'a'; UPDATE secrets SET session = 'a' WHERE session = "
        "'b'",
    };

    for (size_t i = 0; i < ARRAY_COUNT(attacks); i++) {
        const struct place *p = *state;
        struct store *s = must_open(p);
        _cleanup_secrets_ struct cas_secrets got = {0};

        assert_int_equal(put(s, "a", 0, 1), 0);
        assert_int_equal(put(s, "b", 0, 3), 0);
        s->ops->close(s);
        sql(p, attacks[i]);
        s = must_open(p);
        assert_int_equal(s->ops->secrets(s, "a", &got, NULL), -EBADMSG);
        s->ops->close(s);
        assert_int_equal(teardown(state), 0);
        assert_int_equal(setup(state), 0);
    }
}

static void test_seal_every_bit_and_place_counts(void **state)
{
    const struct store_place at = {.table = "t", .key = "k", .version = 5};
    const struct store_place wrong[] = {
        {.table = "u", .key = "k", .version = 5}, {.table = "t", .key = "l", .version = 5},
        {.table = "t", .key = "k", .version = 6}, {.table = "", .key = "tk", .version = 5},
        {.table = "tk", .key = "", .version = 5},
    };
    _cleanup_bytes_ struct cas_bytes sealed = {0};
    _cleanup_bytes_ struct cas_bytes again = {0};
    _cleanup_bytes_ struct cas_bytes open = {0};

    assert_int_equal(store_seal(master, &at, "hello", 5, &sealed), 0);
    assert_int_equal(sealed.size, 5 + STORE_SEAL_OVERHEAD);
    assert_int_equal(store_seal(master, &at, "hello", 5, &again), 0);
    assert_memory_not_equal(sealed.p, again.p, sealed.size); /* a fresh nonce each time */
    assert_int_equal(store_unseal(master, &at, sealed.p, sealed.size, &open), 0);
    assert_string_equal((char *)open.p, "hello");
    cas_bytes_clear(&open);
    for (size_t i = 0; i < 8 * sealed.size; i++) {
        sealed.p[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_int_equal(store_unseal(master, &at, sealed.p, sealed.size, &open), -EBADMSG);
        sealed.p[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t i = 0; i < sealed.size; i++) {
        assert_int_equal(store_unseal(master, &at, sealed.p, i, &open), -EBADMSG);
    }
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        assert_int_equal(store_unseal(master, &wrong[i], sealed.p, sealed.size, &open), -EBADMSG);
    }
    assert_null(open.p);
}

static void test_nothing_readable_on_disk(void **state)
{
    static const char *const ends[] = {"", "-wal"};
    const struct place *p = *state;
    struct store *s = must_open(p);
    size_t looked = 0;

    assert_int_equal(put(s, "a", 0, 1), 0);
    for (size_t i = 0; i < ARRAY_COUNT(ends); i++) {
        _cleanup_free_ uint8_t *data = NULL;
        char path[128];
        size_t size;

        (void)snprintf(path, sizeof(path), "%s%s", p->db, ends[i]);
        assert_int_equal(fs_read_file(path, 1 << 24, &data, &size, NULL), 0);
        assert_null(memmem(data, size, "document 1", 10));
        assert_null(memmem(data, size, master, sizeof(master)));
        looked += size;
    }
    assert_true(looked > 4096);
    s->ops->close(s);
}

static void test_newer_schema_refused(void **state)
{
    const struct place *p = *state;
    struct store *s = must_open(p);
    _cleanup_error_ struct error *err = NULL;

    s->ops->close(s);
    sql(p, "PRAGMA user_version = 999");
    assert_int_equal(store_sqlite_open(p->db, master, &s, &err), -EPROTONOSUPPORT);
    assert_non_null(strstr(error_text(err), "newer nacre"));
}

static void test_meta_values(void **state)
{
    _cleanup_store_ struct store *s = must_open(*state);
    _cleanup_bytes_ struct cas_bytes got = {0};

    assert_int_equal(s->ops->meta_get(s, "cas.x", &got, NULL), -ENOENT);
    assert_int_equal(s->ops->meta_put(s, "cas.x", "one", 3, NULL), 0);
    assert_int_equal(s->ops->meta_put(s, "cas.x", "two!", 4, NULL), 0);
    assert_int_equal(s->ops->meta_get(s, "cas.x", &got, NULL), 0);
    assert_int_equal(got.size, 4);
    assert_memory_equal(got.p, "two!", 4);
}

/* ---- kill -9 -------------------------------------------------------------------------------- */

/* Writes one session after the other and says so behind each, until it is killed. */
_noreturn_ static void write_until_killed(const struct place *p, uint64_t from, int fd)
{
    struct store *s = NULL;

    if (store_sqlite_open(p->db, master, &s, NULL) < 0) {
        _exit(1);
    }
    for (uint64_t n = from;; n++) {
        char name[32];

        (void)snprintf(name, sizeof(name), "s%llu", (unsigned long long)n);
        if (put(s, name, 0, n) < 0 || put(s, name, n, n + 1000000) < 0 ||
            write(fd, &n, sizeof(n)) != sizeof(n)) {
            _exit(2);
        }
    }
}

/* Lets it write one session and then for a moment that differs from round to round. Returns the
 * last acknowledged. */
static uint64_t run_and_kill(const struct place *p, uint64_t from, unsigned round)
{
    const struct timespec moment = {.tv_nsec = (long)(round * 7919 % 37) * 1000000};
    uint64_t last = from - 1;
    uint64_t n;
    int fds[2];
    int status;
    pid_t child;

    assert_int_equal(pipe(fds), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(fds[0]);
        write_until_killed(p, from, fds[1]);
    }
    (void)close(fds[1]);
    assert_int_equal(read(fds[0], &last, sizeof(last)), sizeof(last));
    (void)nanosleep(&moment, NULL);
    assert_int_equal(kill(child, SIGKILL), 0);
    while (read(fds[0], &n, sizeof(n)) == sizeof(n)) {
        last = n;
    }
    (void)close(fds[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return last;
}

static void test_kill_loses_no_acknowledged_write(void **state)
{
    const char *asked = getenv("NACRE_KILL_ROUNDS");
    const unsigned rounds = asked != NULL ? (unsigned)strtoul(asked, NULL, 10) : 10;
    const struct place *p = *state;
    uint64_t next = 1;
    unsigned useful = 0;

    for (unsigned round = 0; round < rounds; round++) {
        const uint64_t last = run_and_kill(p, next, round);
        _cleanup_store_ struct store *s = must_open(p);
        uint8_t hash[POL_HASH_SIZE];
        char name[32];

        useful += last >= next;
        for (uint64_t n = next; n <= last; n++) {
            (void)snprintf(name, sizeof(name), "s%llu", (unsigned long long)n);
            expect_session(s, name, n + 1000000);
        }
        /* What was under way is there whole or not at all. */
        next = last + 1;
        (void)snprintf(name, sizeof(name), "s%llu", (unsigned long long)next);
        if (s->ops->head(s, name, hash, NULL) == 0) {
            uint64_t n = 0;

            memcpy(&n, hash, sizeof(n));
            assert_true(n == next || n == next + 1000000);
            expect_session(s, name, n);
            next++;
        }
    }
    print_message("# %u rounds, %llu sessions acknowledged\n", rounds,
                  (unsigned long long)next - 1);
    assert_true(useful > 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_put_get_across_reopen),
        T(test_put_concurrency_is_optimistic),
        T(test_remove_only_current_and_empty),
        T(test_put_secrets_only_for_current_version),
        T(test_list_namespaces_in_order),
        T(test_open_with_another_key_refused),
        T(test_tampered_values_do_not_open),
        T(test_tampered_secrets_do_not_open),
        T(test_seal_every_bit_and_place_counts),
        T(test_nothing_readable_on_disk),
        T(test_newer_schema_refused),
        T(test_meta_values),
        T(test_kill_loses_no_acknowledged_write),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
