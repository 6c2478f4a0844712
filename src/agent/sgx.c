/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "agent/sgx.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "abi/agent_device.h"
#include "base/alloc.h"
#include "seal/manifest.h"

#define HINTS_FIRST ((size_t)64 << 10)
#define QUOTE_ROOM  ((size_t)64 << 10)

/* A variable answer: once more with the room it needs. */
static int get(int fd, unsigned long request, size_t first, uint8_t **ret, size_t *ret_size,
               struct error **err)
{
    size_t room = first;

    for (int i = 0; i < 2; i++) {
        uint8_t *data = malloc(room);
        struct agent_buffer b = {.data = (uintptr_t)data, .size = room};

        if (data == NULL) {
            return error_set_errno(err, ENOMEM, "starting");
        }
        if (ioctl(fd, request, &b) == 0 && b.size <= room) {
            *ret = data;
            *ret_size = (size_t)b.size;
            return 0;
        }
        free(data);
        if (errno != ENOSPC) {
            break;
        }
        room = (size_t)b.size;
    }
    return error_set_errno(err, errno, "asking the library OS");
}

static int sgx_facts(void *context, struct agent_facts *ret, struct error **err)
{
    const struct sgx_agent *s = context;
    _cleanup_free_ uint8_t *data = NULL;
    struct agent_facts f = {};
    struct manifest m;
    size_t size;
    int r = get(s->fd, AGENT_GET_MANIFEST, MANIFEST_SIZE_MAX, &data, &size, err);

    if (r < 0) {
        return r;
    }
    if (manifest_parse(data, size, &m) < 0) {
        return error_set(err, EBADMSG, "the measured manifest is not one this agent reads");
    }
    if ((m.header.flags & MANIFEST_CAS_KEY) == 0) {
        return error_set(err, EINVAL,
                         "the measured manifest names no key of a CAS: nobody to trust");
    }
    if ((m.header.flags & MANIFEST_CAS_MEASUREMENT) != 0) {
        return error_set(
            err, EOPNOTSUPP,
            "the measured manifest wants the CAS's own evidence, which this agent does "
            "not verify");
    }
    memcpy(f.cas_key, m.header.cas_key, sizeof(f.cas_key));
    f.have_session = (m.header.flags & MANIFEST_SESSION) != 0;
    memcpy(f.session, m.header.session, sizeof(f.session));
    f.have_root = (m.header.flags & MANIFEST_SEALED_ROOT) != 0;
    memcpy(f.root, m.header.sealed_root, sizeof(f.root));
    *ret = f;
    return 0;
}

static int sgx_hints(void *context, struct agent_hints *ret, struct error **err)
{
    const struct sgx_agent *s = context;

    return get(s->fd, AGENT_GET_HINTS, HINTS_FIRST, (uint8_t **)&ret->text, &ret->size, err);
}

static int sgx_start(void *context, const uint8_t *record, size_t size, struct error **err)
{
    const struct sgx_agent *s = context;
    struct agent_start a = {.record = (uintptr_t)record, .size = size};
    int r;

    (void)ioctl(s->fd, AGENT_START, &a);
    r = errno;
    a.message[AGENT_MESSAGE_SIZE - 1] = '\0';
    return a.message[0] == '\0' ? error_set_errno(err, r, "starting the application")
                                : error_set(err, r, "%s", a.message);
}

static int sgx_quote(void *context, const uint8_t report_data[static AGENT_REPORT_DATA_SIZE],
                     uint8_t **ret, size_t *ret_size, struct error **err)
{
    const struct sgx_agent *s = context;
    _cleanup_free_ uint8_t *quote = malloc(QUOTE_ROOM);
    struct agent_quote q = {.out = {.data = (uintptr_t)quote, .size = QUOTE_ROOM}};

    if (quote == NULL) {
        return error_set_errno(err, ENOMEM, "quoting");
    }
    memcpy(q.report_data, report_data, sizeof(q.report_data));
    if (ioctl(s->fd, AGENT_GET_QUOTE, &q) < 0) {
        return error_set_errno(err, errno, "quoting");
    }
    if (q.out.size > QUOTE_ROOM) {
        return error_set(err, EIO, "quoting: an answer that is too long");
    }
    *ret_size = (size_t)q.out.size;
    *ret = TAKE_PTR(quote);
    return 0;
}

int sgx_agent_open(struct sgx_agent *ret, struct error **err)
{
    const int fd = open(AGENT_DEVICE_PATH, O_RDWR | O_CLOEXEC);

    if (fd < 0) {
        return error_set_errno(err, errno,
                               "%s: the agent runs as the first program of a protected start only",
                               AGENT_DEVICE_PATH);
    }
    *ret = (struct sgx_agent){
        .fd = fd,
        .platform = {.facts = sgx_facts, .hints = sgx_hints, .start = sgx_start, .context = ret},
        .evidence = {.type = "sgx-dcap", .get = sgx_quote, .context = ret},
    };
    return 0;
}
