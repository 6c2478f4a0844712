/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit/attest/case.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "unit/unit.h"

struct bytes read_bytes(const char *dir, const char *name)
{
    _cleanup_error_ struct error *err = NULL;
    _cleanup_free_ char *path = NULL;
    struct bytes b = {0};

    assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
    if (fs_read_file(path, 16 * 1024 * 1024, &b.data, &b.size, &err) != 0) {
        fail_msg("%s", error_text(err));
    }
    return b;
}

static bool exists(const char *dir, const char *name)
{
    _cleanup_free_ char *path = NULL;

    assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
    return access(path, R_OK) == 0;
}

/* A case of our own leaves out what it shares with up-to-date/. */
static struct bytes read_or_common(const char *dir, const char *name)
{
    _cleanup_free_ char *common = NULL;

    assert_true(asprintf(&common, "%s/../up-to-date", dir) > 0);
    return exists(dir, name) ? read_bytes(dir, name) : read_bytes(common, name);
}

void case_load(const char *dir, struct test_case *ret)
{
    struct bytes expected;

    memset(ret, 0, sizeof(*ret));
    ret->dir = strdup(dir);
    ret->quote = read_or_common(dir, "quote.bin");
    ret->tcb_info = read_or_common(dir, "tcb_info.json");
    ret->qe_identity = read_or_common(dir, "qe_identity.json");
    ret->signing_chain = read_or_common(dir, "tcb_signing_chain.pem");
    ret->pck_crl = read_or_common(dir, "pck_crl.der");
    ret->root_crl = read_or_common(dir, "root_ca_crl.der");
    if (exists(dir, "pck_chain.pem")) {
        ret->pck_chain = read_bytes(dir, "pck_chain.pem");
    }
    expected = read_bytes(dir, "expected.json");
    ret->expected = json_loadb((const char *)expected.data, expected.size, 0, NULL);
    free(expected.data);
    assert_non_null(ret->expected);
}

void case_free(struct test_case *c)
{
    free(c->dir);
    free(c->quote.data);
    free(c->tcb_info.data);
    free(c->qe_identity.data);
    free(c->signing_chain.data);
    free(c->pck_crl.data);
    free(c->root_crl.data);
    free(c->pck_chain.data);
    json_decref(c->expected);
}

static struct att_blob blob(const struct bytes *b)
{
    return (struct att_blob){.data = b->data, .size = b->size};
}

struct att_collateral_input case_input(const struct test_case *c)
{
    return (struct att_collateral_input){
        .tcb_info = blob(&c->tcb_info),
        .qe_identity = blob(&c->qe_identity),
        .tcb_signing_chain = blob(&c->signing_chain),
        .pck_crl = blob(&c->pck_crl),
        .root_ca_crl = blob(&c->root_crl),
        .pck_chain = blob(&c->pck_chain),
    };
}

int case_verify(const struct test_case *c, const struct att_root *root, int64_t time,
                struct att_claims *ret_claims, struct att_reason *why)
{
    _cleanup_(att_collateral_freep) struct att_collateral *collateral = NULL;
    struct att_collateral_input input = case_input(c);
    int r = att_collateral_new(&input, root, 1, &collateral, why);

    if (r == 0) {
        r = att_verify(c->quote.data, c->quote.size, collateral, time, ret_claims, why);
    }
    return r;
}

char *vectors_dir(const char *sub)
{
    const char *base = getenv("NACRE_VECTORS");
    char *path = NULL;
    struct stat st;

    if (base == NULL) {
        print_message("skipped: NACRE_VECTORS is not set\n");
        return NULL;
    }
    assert_true(asprintf(&path, "%s/%s", base, sub) > 0);
    if (stat(path, &st) != 0) {
        print_message("skipped: the shared vectors are not here (%s)\n", path);
        free(path);
        return NULL;
    }
    return path;
}

char *own_vectors_dir(const char *sub)
{
    const char *root = getenv("NACRE_SOURCE_ROOT");
    char *path = NULL;

    assert_non_null(root);
    assert_true(asprintf(&path, "%s/tests/vectors/attest/%s", root, sub) > 0);
    return path;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void own_root(const char *file, enum att_root_class root_class, struct att_root *ret)
{
    _cleanup_free_ char *dir = own_vectors_dir("");
    struct bytes pem = read_bytes(dir, file);

    assert_int_equal(att_root_from_cert(pem.data, pem.size, root_class, NULL, ret, NULL), 0);
    free(pem.data);
}

void own_case(const char *name, struct test_case *ret)
{
    _cleanup_free_ char *dir = own_vectors_dir(name);

    case_load(dir, ret);
}

size_t list_cases(const char *dir, const char *prefix, char ***ret)
{
    char **names = calloc(257, sizeof(*names));
    DIR *d = opendir(dir);
    const struct dirent *e;
    size_t count = 0;

    assert_non_null(names);
    assert_non_null(d);
    while ((e = readdir(d)) != NULL) {
        if (e->d_name[0] != '.' && strncmp(e->d_name, prefix, strlen(prefix)) == 0 &&
            e->d_type == DT_DIR) {
            assert_true(count < 256);
            names[count++] = strdup(e->d_name);
        }
    }
    closedir(d);
    qsort(names, count, sizeof(*names), by_name);
    *ret = names;
    return count;
}

void free_names(char **names)
{
    for (size_t i = 0; names[i] != NULL; i++) {
        free(names[i]);
    }
    free(names);
}
