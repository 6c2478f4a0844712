/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cas/pins.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/state_dir.h"
#include "policy/text.h"

#define PINS_MAX ((size_t)256 * 1024)

static int pins_path(char **ret_dir, char **ret_path, struct error **err)
{
    int r = state_dir_make("client", ret_dir, err);

    if (r == 0 && asprintf(ret_path, "%s/known_cas", *ret_dir) < 0) {
        *ret_path = NULL;
        r = error_set_errno(err, ENOMEM, "reading known keys");
    }
    return r;
}

/* The whole file, "" when there is none yet. */
static int read_all(const char *path, char **ret, struct error **err)
{
    uint8_t *data = NULL;
    size_t size;
    int r;

    if (access(path, F_OK) < 0) {
        *ret = strdup("");
        return *ret != NULL ? 0 : error_set_errno(err, ENOMEM, "reading known keys");
    }
    r = fs_read_file(path, PINS_MAX, &data, &size, err);
    if (r == 0 && memchr(data, '\0', size) != NULL) {
        free(data);
        return error_set(err, EBADMSG, "%s is damaged: remove it and attest again", path);
    }
    *ret = (char *)data;
    return r;
}

/* The line of an address: 1 with its start and length (newline included), else 0. */
static int find_line(const char *text, const char *address, const char **ret, size_t *ret_len)
{
    const size_t len = strlen(address);

    for (const char *line = text; *line != '\0';) {
        const size_t size = strcspn(line, "\n");

        if (size > len && strncmp(line, address, len) == 0 && line[len] == ' ') {
            *ret = line;
            *ret_len = size + (line[size] == '\n');
            return 1;
        }
        line += size + (line[size] == '\n');
    }
    return 0;
}

int pins_get(const char *address, uint8_t ret_key[static 32], struct error **err)
{
    _cleanup_free_ char *dir = NULL;
    _cleanup_free_ char *path = NULL;
    _cleanup_free_ char *text = NULL;
    char key[KEY_ID_TEXT_MAX];
    const char *line;
    uint8_t version;
    uint8_t id[KEY_ID_SIZE];
    size_t len;
    int r = pins_path(&dir, &path, err);

    if (r == 0) {
        r = read_all(path, &text, err);
    }
    if (r < 0 || find_line(text, address, &line, &len) == 0) {
        return r;
    }
    (void)snprintf(key, sizeof(key), "%.*s", (int)strcspn(line + strlen(address) + 1, "\n"),
                   line + strlen(address) + 1);
    if (key_id_parse(key, &version, id) < 0 || version != KEY_ID_VERSION_KEY) {
        return error_set(err, EBADMSG, "%s is damaged: the key of %s is none", path, address);
    }
    memcpy(ret_key, id, sizeof(id));
    return 1;
}

int pins_put(const char *address, const uint8_t key[static 32], struct error **err)
{
    _cleanup_free_ char *dir = NULL;
    _cleanup_free_ char *path = NULL;
    _cleanup_free_ char *text = NULL;
    _cleanup_free_ char *grown = NULL;
    _cleanup_close_ int lock = -1;
    char name[KEY_ID_TEXT_MAX];
    const char *line = NULL;
    size_t len = 0;
    int n;
    int r = pins_path(&dir, &path, err);

    if (r == 0) {
        r = state_dir_lock(dir, &lock, err);
    }
    if (r == 0) {
        r = read_all(path, &text, err);
    }
    if (r < 0) {
        return r;
    }
    if (find_line(text, address, &line, &len) == 0) {
        line = text + strlen(text);
        len = 0;
    }
    key_id_print(KEY_ID_VERSION_KEY, key, name);
    n = asprintf(&grown, "%.*s%s %s\n%s", (int)(line - text), text, address, name, line + len);
    if (n < 0) {
        grown = NULL;
        return error_set_errno(err, ENOMEM, "remembering the key");
    }
    return fs_write_file_atomic(path, grown, (size_t)n, 0600, err);
}
