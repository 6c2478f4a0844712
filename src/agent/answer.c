/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The document a CAS grants, turned into the record the library OS takes (abi/agent_device.h). The
 * CAS is the pinned one, so this is about mistakes rather than attacks; it is read strictly all the
 * same: a key that is not understood could be one that restricts. Messages name keys, never values.
 */
#include "agent/agent.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "abi/agent_device.h"
#include "base/alloc.h"
#include "base/base64.h"
#include "core/ct.h"
#include "core/hex.h"
#include "core/le.h"

#define FILE_MODE_DEFAULT 0700u
#define MODE_MAX          07777
#define ID_MAX            0xfffffffell /* (uid_t)-1 means "none" */

/* ---- memory that is wiped when it is given back ---- */

struct block {
    size_t size;
    max_align_t data[];
};

static void *wiping_malloc(size_t size)
{
    struct block *b = size > SIZE_MAX - sizeof(*b) ? NULL : malloc(sizeof(*b) + size);

    if (b == NULL) {
        return NULL;
    }
    b->size = size;
    return b->data;
}

static void wiping_free(void *p)
{
    if (p != NULL) {
        struct block *b = (struct block *)(void *)((uint8_t *)p - offsetof(struct block, data));

        agent_wipe_free(b, sizeof(*b) + b->size);
    }
}

/* ---- the record ---- */

struct writer {
    uint8_t *data;
    size_t size;
    size_t room;
    size_t entry; /* where the open entry starts */
    bool failed;
};

static void put(struct writer *w, const void *src, size_t size)
{
    if (w->failed || size > w->room - w->size) {
        w->failed = true;
        return;
    }
    if (size > 0) {
        memcpy(w->data + w->size, src, size);
    }
    w->size += size;
}

static void put_u16(struct writer *w, uint16_t v)
{
    uint8_t b[2];

    le16_store(b, v);
    put(w, b, sizeof(b));
}

static void put_u32(struct writer *w, uint32_t v)
{
    uint8_t b[4];

    le32_store(b, v);
    put(w, b, sizeof(b));
}

static void put_string(struct writer *w, const char *s)
{
    put(w, s, strlen(s) + 1);
}

static void entry_begin(struct writer *w, enum agent_entry_type type)
{
    w->entry = w->size;
    put_u16(w, type);
    put_u16(w, 0);
    put_u32(w, 0);
}

static void patch_u32(struct writer *w, size_t at, size_t value)
{
    if (!w->failed) {
        le32_store(w->data + at, (uint32_t)value);
    }
}

static void entry_end(struct writer *w)
{
    patch_u32(w, w->entry + 4, w->size - w->entry - sizeof(struct agent_entry));
}

static void put_entry_string(struct writer *w, enum agent_entry_type type, const char *s)
{
    entry_begin(w, type);
    put_string(w, s);
    entry_end(w);
}

/* ---- the document ---- */

static int bad(struct error **err, const char *key, const char *what)
{
    return error_set(err, EBADMSG, "the answer's '%s' %s", key, what);
}

/* Each key once at most (the parser sees to that) and none but these. */
static int check_keys(const json_t *object, const char *where, const char *const *known,
                      size_t count, struct error **err)
{
    const char *key;
    json_t *value;

    if (!json_is_object(object)) {
        return bad(err, where, "is not an object");
    }
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        size_t i = 0;

        while (i < count && strcmp(key, known[i]) != 0) {
            i++;
        }
        if (i == count) {
            return bad(err, where, "has a key this agent does not know; it is older than its CAS");
        }
    }
    return 0;
}

static int need_string(const json_t *object, const char *key, const char **ret, struct error **err)
{
    *ret = json_string_value(json_object_get(object, key));
    return *ret == NULL ? bad(err, key, "is missing or not a string") : 0;
}

static int take_hex32(const json_t *object, const char *key, uint8_t ret[static 32],
                      struct error **err)
{
    const char *text;
    int r = need_string(object, key, &text, err);

    if (r == 0 && hex_decode(ret, 32, text, strlen(text)) < 0) {
        r = bad(err, key, "is not 64 hexadecimal digits");
    }
    return r;
}

/* An integer of 0..max, or `otherwise` when the key is absent. */
static int take_number(const json_t *object, const char *key, long long max, uint32_t otherwise,
                       uint32_t *ret, struct error **err)
{
    const json_t *v = json_object_get(object, key);

    if (v == NULL) {
        *ret = otherwise;
        return 0;
    }
    if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > max) {
        return bad(err, key, "is not a number in its range");
    }
    *ret = (uint32_t)json_integer_value(v);
    return 0;
}

/* A list, absent is empty (ret NULL). */
static int take_list(const json_t *root, const char *key, size_t max, const json_t **ret,
                     struct error **err)
{
    *ret = json_object_get(root, key);
    if (*ret != NULL && (!json_is_array(*ret) || json_array_size(*ret) > max)) {
        return bad(err, key, "is not a list, or too long");
    }
    return 0;
}

/* The root in full as it is said; the first half, or nothing, stands for the measured one. */
static int take_root(const json_t *sealed, const uint8_t *measured,
                     uint8_t ret[static AGENT_HASH_SIZE], struct error **err)
{
    const json_t *v = json_object_get(sealed, "root");
    uint8_t half[AGENT_HASH_SIZE / 2];

    if (v != NULL && json_string_length(v) != 2 * sizeof(half)) {
        return take_hex32(sealed, "root", ret, err);
    }
    if (v != NULL && hex_decode(half, sizeof(half), json_string_value(v), 2 * sizeof(half)) < 0) {
        return bad(err, "root", "is not hex digits");
    }
    if (measured == NULL) {
        return error_set(err, EKEYREJECTED,
                         "the answer has a sealed root, and this enclave is measured with none");
    }
    if (v != NULL && !ct_equal(half, measured, sizeof(half))) {
        return error_set(err, EKEYREJECTED,
                         "the sealed root is not the one this enclave is measured with");
    }
    memcpy(ret, measured, AGENT_HASH_SIZE);
    return 0;
}

static int put_sealed(struct writer *w, const json_t *root, const uint8_t *measured,
                      struct error **err)
{
    static const char *const known[] = {"key", "root"};
    const json_t *sealed = json_object_get(root, "sealed");
    uint8_t key[32];
    uint8_t hash[32];
    int r;

    if (sealed == NULL) {
        return 0;
    }
    r = check_keys(sealed, "sealed", known, ARRAY_COUNT(known), err);
    r = r < 0 ? r : take_hex32(sealed, "key", key, err);
    r = r < 0 ? r : take_root(sealed, measured, hash, err);
    if (r == 0) {
        entry_begin(w, AGENT_ENTRY_SEALED);
        put(w, key, sizeof(key));
        put(w, hash, sizeof(hash));
        entry_end(w);
    }
    ct_wipe(key, sizeof(key));
    return r;
}

static int put_volume(struct writer *w, const json_t *volume, struct error **err)
{
    static const char *const known[] = {"name", "path", "key", "root"};
    const char *name;
    const char *path;
    uint8_t key[32];
    uint8_t hash[32];
    int r = check_keys(volume, "volumes", known, ARRAY_COUNT(known), err);

    r = r < 0 ? r : need_string(volume, "name", &name, err);
    r = r < 0 ? r : need_string(volume, "path", &path, err);
    r = r < 0 ? r : take_hex32(volume, "key", key, err);
    r = r < 0 ? r : take_hex32(volume, "root", hash, err);
    if (r == 0) {
        entry_begin(w, AGENT_ENTRY_VOLUME);
        put(w, key, sizeof(key));
        put(w, hash, sizeof(hash));
        put_string(w, name);
        put_string(w, path);
        entry_end(w);
    }
    ct_wipe(key, sizeof(key));
    return r;
}

static int put_volumes(struct writer *w, const json_t *root, struct error **err)
{
    const json_t *list;
    int r = take_list(root, "volumes", AGENT_VOLUMES_MAX, &list, err);

    for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
        r = put_volume(w, json_array_get(list, i), err);
    }
    return r;
}

static int put_argv(struct writer *w, const json_t *root, struct error **err)
{
    const json_t *list;
    int r = take_list(root, "argv", AGENT_STRINGS_MAX, &list, err);

    if (r == 0 && json_array_size(list) == 0) {
        return bad(err, "argv", "is missing or empty");
    }
    for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
        const char *s = json_string_value(json_array_get(list, i));

        if (s == NULL) {
            return bad(err, "argv", "has something that is not a string");
        }
        put_entry_string(w, AGENT_ENTRY_ARG, s);
    }
    return r;
}

/* ---- environment ---- */

static bool names(const json_t *list, const char *variable)
{
    const size_t len = strcspn(variable, "=");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(json_array_get(list, i), 0));

        if (strncmp(name, variable, len) == 0 && name[len] == '\0') {
            return true;
        }
    }
    return false;
}

static int check_environment(const json_t *list, struct error **err)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *pair = json_array_get(list, i);
        const char *name = json_string_value(json_array_get(pair, 0));

        if (json_array_size(pair) != 2 || name == NULL || *name == '\0' ||
            strchr(name, '=') != NULL || !json_is_string(json_array_get(pair, 1))) {
            return bad(err, "environment", "has something that is not [name, value]");
        }
    }
    return 0;
}

static int put_environment(struct writer *w, const json_t *root, const char *const *host_env,
                           size_t host_env_count, struct error **err)
{
    const json_t *list;
    int r = take_list(root, "environment", AGENT_STRINGS_MAX - host_env_count, &list, err);

    r = r < 0 ? r : check_environment(list, err);
    for (size_t i = 0; r == 0 && i < host_env_count; i++) {
        if (!names(list, host_env[i])) {
            put_entry_string(w, AGENT_ENTRY_ENV, host_env[i]);
        }
    }
    for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
        const json_t *pair = json_array_get(list, i);

        entry_begin(w, AGENT_ENTRY_ENV);
        put(w, json_string_value(json_array_get(pair, 0)),
            json_string_length(json_array_get(pair, 0)));
        put(w, "=", 1);
        put_string(w, json_string_value(json_array_get(pair, 1)));
        entry_end(w);
    }
    return r;
}

/* ---- working directory, user, files ---- */

struct ids {
    uint32_t uid;
    uint32_t gid;
};

static int put_user(struct writer *w, const json_t *root, struct ids *ret, struct error **err)
{
    static const char *const known[] = {"uid", "gid", "groups"};
    const json_t *user = json_object_get(root, "user");
    const json_t *groups;
    int r;

    *ret = (struct ids){};
    if (user == NULL) {
        return 0;
    }
    r = check_keys(user, "user", known, ARRAY_COUNT(known), err);
    r = r < 0 ? r : take_number(user, "uid", ID_MAX, 0, &ret->uid, err);
    r = r < 0 ? r : take_number(user, "gid", ID_MAX, 0, &ret->gid, err);
    r = r < 0 ? r : take_list(user, "groups", AGENT_GROUPS_MAX, &groups, err);
    if (r < 0) {
        return r;
    }
    entry_begin(w, AGENT_ENTRY_USER);
    put_u32(w, ret->uid);
    put_u32(w, ret->gid);
    for (size_t i = 0; i < json_array_size(groups); i++) {
        const json_t *g = json_array_get(groups, i);

        if (!json_is_integer(g) || json_integer_value(g) < 0 || json_integer_value(g) > ID_MAX) {
            return bad(err, "groups", "has something that is not a group's number");
        }
        put_u32(w, (uint32_t)json_integer_value(g));
    }
    entry_end(w);
    return 0;
}

static int put_file(struct writer *w, const json_t *file, const struct ids *user,
                    struct error **err)
{
    static const char *const known[] = {"path", "mode", "uid", "gid", "data"};
    const char *path;
    const char *data;
    uint32_t mode;
    struct ids owner;
    size_t size;
    size_t have = 0;
    int r = check_keys(file, "files", known, ARRAY_COUNT(known), err);

    r = r < 0 ? r : need_string(file, "path", &path, err);
    r = r < 0 ? r : need_string(file, "data", &data, err);
    r = r < 0 ? r : take_number(file, "mode", MODE_MAX, FILE_MODE_DEFAULT, &mode, err);
    r = r < 0 ? r : take_number(file, "uid", ID_MAX, user->uid, &owner.uid, err);
    r = r < 0 ? r : take_number(file, "gid", ID_MAX, user->gid, &owner.gid, err);
    if (r < 0) {
        return r;
    }
    entry_begin(w, AGENT_ENTRY_FILE);
    put_u32(w, mode);
    put_u32(w, owner.uid);
    put_u32(w, owner.gid);
    put_string(w, path);
    size = strlen(data);
    if (w->failed || BASE64_DECODED_MAX(size) > w->room - w->size) {
        w->failed = true;
        return 0;
    }
    if (base64_decode(w->data + w->size, data, size, &have) < 0) {
        return bad(err, "data", "is not base64");
    }
    w->size += have;
    entry_end(w);
    return 0;
}

static int put_rest(struct writer *w, const json_t *root, struct error **err)
{
    const json_t *files;
    const char *pwd;
    struct ids user;
    int r = need_string(root, "pwd", &pwd, err);

    if (r == 0) {
        put_entry_string(w, AGENT_ENTRY_PWD, pwd);
        r = put_user(w, root, &user, err);
    }
    r = r < 0 ? r : take_list(root, "files", AGENT_FILES_MAX, &files, err);
    for (size_t i = 0; r == 0 && i < json_array_size(files); i++) {
        r = put_file(w, json_array_get(files, i), &user, err);
    }
    return r;
}

static int write_record(struct writer *w, const json_t *root, const char *const *host_env,
                        size_t host_env_count, const uint8_t *measured_root, struct error **err)
{
    static const char *const known[] = {"version", "argv",    "environment", "pwd",
                                        "sealed",  "volumes", "files",       "user"};
    uint8_t magic[8];
    int r = check_keys(root, "document", known, ARRAY_COUNT(known), err);

    if (r == 0 && json_integer_value(json_object_get(root, "version")) != 1) {
        r = bad(err, "version", "is not 1");
    }
    le64_store(magic, AGENT_RECORD_MAGIC);
    put(w, magic, sizeof(magic));
    put_u32(w, AGENT_RECORD_VERSION);
    put_u32(w, 0);
    r = r < 0 ? r : put_sealed(w, root, measured_root, err);
    r = r < 0 ? r : put_volumes(w, root, err);
    r = r < 0 ? r : put_argv(w, root, err);
    r = r < 0 ? r : put_environment(w, root, host_env, host_env_count, err);
    r = r < 0 ? r : put_rest(w, root, err);
    if (r == 0 && w->failed) {
        r = error_set(err, E2BIG, "the answer is larger than the library OS takes");
    }
    patch_u32(w, offsetof(struct agent_record_header, size), w->size);
    return r;
}

/* More than the document can become: at worst an argument of three bytes ("",) makes nine; the
 * host's variables add. */
static size_t record_room(size_t size, const char *const *host_env, size_t host_env_count)
{
    size_t room = sizeof(struct agent_record_header) + 3 * size + 4096;

    for (size_t i = 0; i < host_env_count; i++) {
        room += sizeof(struct agent_entry) + strlen(host_env[i]) + 1;
    }
    return MIN(room, AGENT_RECORD_MAX);
}

int agent_answer_to_record(const char *text, size_t size, const char *const *host_env,
                           size_t host_env_count, const uint8_t *measured_root, uint8_t **ret,
                           size_t *ret_size, struct error **err)
{
    struct writer w = {.room = record_room(size, host_env, host_env_count)};
    uint8_t *exact = NULL;
    json_error_t where;
    json_t *root;
    int r;

    json_set_alloc_funcs(wiping_malloc, wiping_free);
    root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
    if (root == NULL) { /* where.text quotes the document: not shown */
        return error_set(err, EBADMSG, "the answer is not JSON (line %d, column %d)", where.line,
                         where.column);
    }
    w.data = malloc(w.room);
    r = w.data == NULL ? error_set_errno(err, ENOMEM, "reading the answer")
                       : write_record(&w, root, host_env, host_env_count, measured_root, err);
    json_decref(root);
    if (r == 0) {
        exact = malloc(w.size);
        r = exact == NULL ? error_set_errno(err, ENOMEM, "reading the answer") : 0;
    }
    if (r == 0) {
        memcpy(exact, w.data, w.size);
        *ret = exact;
        *ret_size = w.size;
    }
    agent_wipe_free(w.data, w.room);
    return r;
}

void agent_answer_reference(const char *text, size_t size, char *ret, size_t ret_size)
{
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    const char *s = json_string_value(json_object_get(root, "reference"));
    size_t n = 0;

    for (; s != NULL && s[n] > ' ' && s[n] <= '~' && n + 1 < ret_size; n++) {
        ret[n] = s[n];
    }
    ret[n] = '\0';
    json_decref(root);
}
