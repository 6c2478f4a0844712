/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "convert/user.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define FILE_MAX   ((size_t)1024 * 1024)
#define FIELDS_MAX 7u

/* Colon-separated lines; a missing file is an empty one. */
static int read_lines(const struct rootfs *fs, const char *path, char **ret, struct error **err)
{
    _cleanup_free_ struct rootfs_file *f = malloc(sizeof(*f));
    size_t size;
    int r;

    if (f == NULL) {
        return error_set_errno(err, ENOMEM, "looking for the user");
    }
    r = rootfs_resolve(fs, "/", path, f, err);
    if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP) {
        *ret = strdup("");
        return *ret == NULL ? error_set_errno(err, ENOMEM, "looking for the user") : 0;
    }
    return r < 0 ? r : rootfs_read_all(fs, f, FILE_MAX, ret, &size, err);
}

/* A number as passwd and USER have it. */
static bool number(const char *s, size_t len, uint32_t *ret)
{
    uint64_t v = 0;

    if (len == 0 || len > 10) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9') {
            return false;
        }
        v = v * 10 + (uint64_t)(s[i] - '0');
    }
    *ret = (uint32_t)v;
    return v < UINT32_MAX;
}

struct field {
    const char *p;
    size_t len;
};

static bool is(const struct field *f, const char *s, size_t len)
{
    return f->len == len && memcmp(f->p, s, len) == 0;
}

/* The fields of the line at *s; steps behind it. False at the end. */
static bool next_line(const char **s, struct field fields[FIELDS_MAX], size_t *ret_count)
{
    size_t n = 0;

    if (**s == '\0') {
        return false;
    }
    for (;;) {
        const size_t len = strcspn(*s, ":\n");

        if (n < FIELDS_MAX) {
            fields[n++] = (struct field){.p = *s, .len = len};
        }
        *s += len;
        if (**s != ':') {
            *s += **s == '\n';
            *ret_count = n;
            return true;
        }
        (*s)++;
    }
}

/* Sets uid, and gid as passwd has it; gives the user's name when passwd knows one. */
static int find_user(const char *passwd, const char *who, size_t len, struct pol_user *u,
                     struct field *ret_name, struct error **err)
{
    struct field f[FIELDS_MAX];
    const bool numeric = number(who, len, &u->uid);
    const uint32_t want = u->uid;
    size_t n;

    while (next_line(&passwd, f, &n)) {
        uint32_t uid;
        uint32_t gid;

        if (n < 4 || !number(f[2].p, f[2].len, &uid) || !number(f[3].p, f[3].len, &gid)) {
            continue;
        }
        if (is(&f[0], who, len) || (numeric && uid == want)) {
            u->uid = uid;
            u->gid = gid;
            *ret_name = f[0];
            return 0;
        }
    }
    return numeric ? 0
                   : error_set(err, ENOENT, "USER %.*s: the image's /etc/passwd does not know him",
                               (int)MIN(len, (size_t)100), who);
}

static int find_group(const char *group, const char *which, size_t len, struct pol_user *u,
                      struct error **err)
{
    struct field f[FIELDS_MAX];
    size_t n;

    if (number(which, len, &u->gid)) {
        return 0;
    }
    while (next_line(&group, f, &n)) {
        if (n >= 3 && is(&f[0], which, len) && number(f[2].p, f[2].len, &u->gid)) {
            return 0;
        }
    }
    return error_set(err, ENOENT, "USER …:%.*s: the image's /etc/group does not know that group",
                     (int)MIN(len, (size_t)100), which);
}

static bool lists(const struct field *members, const struct field *name)
{
    for (size_t at = 0; at < members->len;) {
        const char *p = members->p + at;
        const char *comma = memchr(p, ',', members->len - at);
        const size_t len = comma == NULL ? members->len - at : (size_t)(comma - p);

        if (is(name, p, len)) {
            return true;
        }
        at += len + 1;
    }
    return false;
}

static int add_groups(const char *group, const struct field *name, struct pol_user *u,
                      struct error **err)
{
    struct field f[FIELDS_MAX];
    uint32_t gid;
    size_t n;

    while (next_line(&group, f, &n)) {
        if (n < 4 || !lists(&f[3], name) || !number(f[2].p, f[2].len, &gid)) {
            continue;
        }
        if (u->group_count == POL_GROUPS_MAX) {
            return error_set(err, E2BIG, "USER %.*s is in more than %d groups", (int)name->len,
                             name->p, POL_GROUPS_MAX);
        }
        u->groups[u->group_count++] = gid;
    }
    return 0;
}

int user_resolve(const struct rootfs *fs, const char *text, struct pol_user *ret,
                 struct error **err)
{
    _cleanup_free_ char *passwd = NULL;
    _cleanup_free_ char *group = NULL;
    const size_t len = strcspn(text, ":");
    const char *which = text[len] == ':' ? text + len + 1 : "";
    struct pol_user u = {0};
    struct field name = {0};
    int r;

    if (text[0] == '\0') {
        *ret = u;
        return 0;
    }
    r = read_lines(fs, "/etc/passwd", &passwd, err);
    r = r < 0 ? r : read_lines(fs, "/etc/group", &group, err);
    r = r < 0 || len == 0 ? r : find_user(passwd, text, len, &u, &name, err);
    if (r == 0 && *which != '\0') {
        r = find_group(group, which, strlen(which), &u, err);
    } else if (r == 0 && name.len > 0) {
        r = add_groups(group, &name, &u, err);
    }
    if (r == 0 &&
        u.group_count < POL_GROUPS_MAX) { /* his first group is one of them, as at a login */
        memmove(u.groups + 1, u.groups, u.group_count * sizeof(u.groups[0]));
        u.groups[0] = u.gid;
        u.group_count++;
    }
    if (r == 0) {
        u.present = u.uid != 0 || u.gid != 0 || u.group_count > 1;
        *ret = u;
    }
    return r;
}

void user_print(const struct pol_user *u, char *dst, size_t size)
{
    size_t n = (size_t)snprintf(dst, size, "%u:%u", u->uid, u->gid);

    for (size_t i = 0; i < u->group_count && n < size; i++) {
        n += (size_t)snprintf(dst + n, size - n, "%c%u", i == 0 ? ':' : ',', u->groups[i]);
    }
}
