/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/attest/record.h"

#include "core/le.h"
#include "core/path.h"

#define MODE_BITS 07777u

/* Steps over one string of 0 to `max` bytes and its NUL. */
static int take_string(struct cursor *c, size_t max, const char **ret)
{
    const uint8_t *p;
    size_t n = 0;

    while (n < c->left && c->p[n] != '\0') {
        n++;
    }
    if (n > max || n == c->left || cursor_bytes(c, n + 1, &p) < 0) {
        return -EBADMSG;
    }
    *ret = (const char *)p;
    return 0;
}

/* "/" alone only where `root` allows it. */
static int take_path(struct cursor *c, bool root, const char **ret)
{
    if (take_string(c, AGENT_PATH_MAX, ret) < 0) {
        return -EBADMSG;
    }
    return path_is_clean(*ret) || (root && (*ret)[0] == '/' && (*ret)[1] == '\0') ? 0 : -EBADMSG;
}

static int take_entry(struct cursor *c, uint16_t *ret_type, struct cursor *ret)
{
    uint16_t reserved;
    uint32_t size;

    if (cursor_u16le(c, ret_type) < 0 || cursor_u16le(c, &reserved) < 0 || reserved != 0 ||
        cursor_u32le(c, &size) < 0) {
        return -EBADMSG;
    }
    return cursor_sub(c, size, ret);
}

static int take_volume(struct cursor *e, struct record_volume *ret)
{
    if (cursor_bytes(e, RECORD_KEY_SIZE, &ret->key) < 0 ||
        cursor_bytes(e, RECORD_KEY_SIZE, &ret->root) < 0 ||
        take_string(e, AGENT_VOLUME_NAME, &ret->name) < 0 || ret->name[0] == '\0' ||
        take_path(e, false, &ret->path) < 0) {
        return -EBADMSG;
    }
    return cursor_done(e);
}

static int take_file(struct cursor *e, struct record_file *ret)
{
    if (cursor_u32le(e, &ret->mode) < 0 || (ret->mode & ~MODE_BITS) != 0 ||
        cursor_u32le(e, &ret->uid) < 0 || cursor_u32le(e, &ret->gid) < 0 ||
        take_path(e, false, &ret->path) < 0) {
        return -EBADMSG;
    }
    ret->size = e->left;
    return cursor_bytes(e, e->left, &ret->data);
}

static int take_user(struct cursor *e, struct record *r)
{
    if (cursor_u32le(e, &r->uid) < 0 || cursor_u32le(e, &r->gid) < 0) {
        return -EBADMSG;
    }
    while (e->left > 0) {
        if (r->group_count == AGENT_GROUPS_MAX || cursor_u32le(e, &r->groups[r->group_count]) < 0) {
            return -EBADMSG;
        }
        r->group_count++;
    }
    return 0;
}

/* "NAME=VALUE" with a name. */
static bool is_variable(const char *s)
{
    const char *p = s;

    while (*p != '\0' && *p != '=') {
        p++;
    }
    return *p == '=' && p != s;
}

/* One entry, by its type. What may come only once was checked by the caller. */
static const char *check_entry(struct record *r, uint16_t type, struct cursor e)
{
    struct record_volume volume;
    struct record_file file;
    const char *s;

    switch (type) {
    case AGENT_ENTRY_SEALED:
        return cursor_bytes(&e, RECORD_KEY_SIZE, &r->key) < 0 ||
                       cursor_bytes(&e, RECORD_KEY_SIZE, &r->root) < 0 || cursor_done(&e) < 0
                   ? "the sealed root"
                   : NULL;
    case AGENT_ENTRY_VOLUME:
        return ++r->volume_count > AGENT_VOLUMES_MAX || take_volume(&e, &volume) < 0 ? "a volume"
                                                                                     : NULL;
    case AGENT_ENTRY_ARG:
        return ++r->arg_count > AGENT_STRINGS_MAX || take_string(&e, AGENT_STRING_MAX, &s) < 0 ||
                       cursor_done(&e) < 0 || (r->arg_count == 1 && s[0] == '\0')
                   ? "an argument"
                   : NULL;
    case AGENT_ENTRY_ENV:
        return ++r->env_count > AGENT_STRINGS_MAX || take_string(&e, AGENT_STRING_MAX, &s) < 0 ||
                       cursor_done(&e) < 0 || !is_variable(s)
                   ? "a variable of the environment"
                   : NULL;
    case AGENT_ENTRY_PWD:
        return take_path(&e, true, &r->pwd) < 0 || cursor_done(&e) < 0 ? "the working directory"
                                                                       : NULL;
    case AGENT_ENTRY_USER: return take_user(&e, r) < 0 ? "the user" : NULL;
    case AGENT_ENTRY_FILE:
        return ++r->file_count > AGENT_FILES_MAX || take_file(&e, &file) < 0 ? "a file" : NULL;
    default: return "an entry of unknown type";
    }
}

static bool only_once(uint16_t type)
{
    return type == AGENT_ENTRY_SEALED || type == AGENT_ENTRY_PWD || type == AGENT_ENTRY_USER;
}

static int check_header(struct cursor *c, size_t size)
{
    uint64_t magic;
    uint32_t version;
    uint32_t stated;

    if (size > AGENT_RECORD_MAX || cursor_u64le(c, &magic) < 0 || magic != AGENT_RECORD_MAGIC ||
        cursor_u32le(c, &version) < 0 || version != AGENT_RECORD_VERSION ||
        cursor_u32le(c, &stated) < 0 || stated != size) {
        return -EBADMSG;
    }
    return 0;
}

int record_parse(const void *data, size_t size, struct record *ret, const char **ret_what)
{
    struct cursor c = cursor_make(data, size);
    struct cursor section[AGENT_ENTRY_TYPES] = {};
    struct record r = {};
    uint16_t before = 0;

    if (check_header(&c, size) < 0) {
        *ret_what = "the header";
        return -EBADMSG;
    }
    while (c.left > 0) {
        const uint8_t *start = c.p;
        struct cursor e;
        uint16_t type;

        if (take_entry(&c, &type, &e) < 0 || type < before || (type == before && only_once(type))) {
            *ret_what = "the order of its entries";
            return -EBADMSG;
        }
        *ret_what = check_entry(&r, type, e);
        if (*ret_what != NULL) {
            return -EBADMSG;
        }
        if (section[type].p == NULL) {
            section[type].p = start;
        }
        section[type].left = (size_t)(c.p - section[type].p);
        before = type;
    }
    if (r.arg_count == 0 || r.pwd == NULL) {
        *ret_what = r.pwd == NULL ? "no working directory" : "no program";
        return -EBADMSG;
    }
    r.args = section[AGENT_ENTRY_ARG];
    r.env = section[AGENT_ENTRY_ENV];
    r.volumes = section[AGENT_ENTRY_VOLUME];
    r.files = section[AGENT_ENTRY_FILE];
    *ret = r;
    return 0;
}

int record_next_string(struct cursor *strings, const char **ret)
{
    struct cursor e;
    uint16_t type;

    return strings->left > 0 && take_entry(strings, &type, &e) == 0 &&
           take_string(&e, AGENT_STRING_MAX, ret) == 0;
}

int record_next_volume(struct cursor *volumes, struct record_volume *ret)
{
    struct cursor e;
    uint16_t type;

    return volumes->left > 0 && take_entry(volumes, &type, &e) == 0 && take_volume(&e, ret) == 0;
}

int record_next_file(struct cursor *files, struct record_file *ret)
{
    struct cursor e;
    uint16_t type;

    return files->left > 0 && take_entry(files, &type, &e) == 0 && take_file(&e, ret) == 0;
}
