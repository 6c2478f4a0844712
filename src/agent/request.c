/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* What the agent knows before it asks, and what it asks with. */
#include "agent/agent.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "abi/report_data.h"
#include "base/alloc.h"
#include "base/args.h"
#include "base/base64.h"
#include "core/ct.h"
#include "core/le.h"
#include "core/sha512.h"

#define NAME_MAX_BYTES 1024u

void agent_wipe_free(void *p, size_t size)
{
    if (p != NULL) {
        ct_wipe(p, size);
        free(p);
    }
}

/* ---- hints ---- */

static int parse_seconds(const char *s, uint64_t *ret)
{
    return args_parse_u64(s, ret) < 0 || *ret > AGENT_TIMEOUT_MAX ? -EINVAL : 0;
}

static int take_hint(struct agent_hints *h, const char *s, struct error **err)
{
    const char *value = strchr(s, '=');

    if (value == NULL) {
        return error_set(err, EINVAL, "the host's hints are malformed");
    }
    value++;
    if (strncmp(s, "cas=", 4) == 0) {
        if (h->address_count < AGENT_ADDRESSES_MAX) {
            h->addresses[h->address_count++] = value;
        }
    } else if (strncmp(s, "config-id=", 10) == 0) {
        h->config_id = value;
    } else if (strncmp(s, "cas-note=", 9) == 0) {
        h->note = value;
    } else if (strncmp(s, "cas-timeout=", 12) == 0) {
        if (parse_seconds(value, &h->timeout) < 0) {
            return error_set(err, EINVAL, "the time to wait for the CAS is a number of seconds");
        }
    } else if (strncmp(s, "env=", 4) == 0) {
        if (h->env_count == AGENT_HOST_ENV_MAX) {
            return error_set(err, EINVAL, "more than %u variables from the host",
                             AGENT_HOST_ENV_MAX);
        }
        h->env[h->env_count++] = value;
    }
    return 0;
}

int agent_parse_hints(struct agent_hints *ret, struct error **err)
{
    const char *p = ret->text;
    const char *end = ret->text + ret->size;
    int r = 0;

    ret->timeout = AGENT_TIMEOUT_DEFAULT;
    if (ret->size > 0 && end[-1] != '\0') {
        return error_set(err, EINVAL, "the host's hints are malformed");
    }
    while (r == 0 && p < end) {
        r = take_hint(ret, p, err);
        p += strlen(p) + 1;
    }
    return r;
}

int agent_parse_config_id(const char *text, struct agent_wish *ret)
{
    const char *slash = strrchr(text, '/');
    struct agent_wish w;

    if (slash == NULL) {
        return -EINVAL;
    }
    w = (struct agent_wish){.session = text,
                            .session_size = (size_t)(slash - text),
                            .service = slash + 1,
                            .service_size = strlen(slash + 1)};
    if (w.session_size == 0 || w.service_size == 0 || w.session_size > NAME_MAX_BYTES ||
        w.service_size > NAME_MAX_BYTES) {
        return -EINVAL;
    }
    *ret = w;
    return 0;
}

/* ---- the request ---- */

static void hash_name(struct sha512 *h, const char *name, size_t size)
{
    uint8_t len[2];

    le16_store(len, (uint16_t)size);
    sha512_update(h, len, sizeof(len));
    sha512_update(h, name, size);
}

void agent_report_data(const uint8_t exporter[static AGENT_EXPORTER_SIZE],
                       const struct agent_wish *wish, uint8_t ret[static AGENT_REPORT_DATA_SIZE])
{
    static const char label[] = "nacre provisioning v1"; /* with its NUL */
    struct sha512 h;

    sha512_init(&h);
    sha512_update(&h, label, sizeof(label));
    sha512_update(&h, exporter, AGENT_EXPORTER_SIZE);
    hash_name(&h, wish->session, wish->session_size);
    hash_name(&h, wish->service, wish->service_size);
    sha512_final(&h, ret);
    report_data_tag(ret, REPORT_DATA_PROVISIONING);
}

int agent_make_request(const struct agent_wish *wish, const char *type, const uint8_t *quote,
                       size_t quote_size, char **ret, size_t *ret_size)
{
    _cleanup_free_ char *text = NULL;
    json_t *evidence = NULL;
    json_t *root;
    size_t size;
    char *body;

    if (BASE64_SIZE(quote_size) > AGENT_REQUEST_MAX) {
        return -E2BIG;
    }
    if (quote == NULL) {
        evidence = json_pack("{s:s}", "type", type);
    } else {
        text = malloc(BASE64_SIZE(quote_size) + 1);
        if (text != NULL) {
            base64_encode(text, quote, quote_size);
            evidence =
                json_pack("{s:s, s:s%}", "type", type, "quote", text, BASE64_SIZE(quote_size));
        }
    }
    root = evidence == NULL ? NULL
                            : json_pack("{s:i, s:s%, s:s%, s:o}", "version", 1, "session",
                                        wish->session, wish->session_size, "service", wish->service,
                                        wish->service_size, "evidence", evidence);
    /* Not json_dumps: its memory is jansson's, and answer.c changes whose that is. */
    body = root == NULL ? NULL : malloc(AGENT_REQUEST_MAX);
    size = body == NULL ? 0 : json_dumpb(root, body, AGENT_REQUEST_MAX, JSON_COMPACT);
    json_decref(root);
    if (size == 0 || size > AGENT_REQUEST_MAX) {
        free(body);
        return size == 0 ? -EINVAL : -E2BIG; /* no memory or a name that is not UTF-8; too much */
    }
    *ret = body;
    *ret_size = size;
    return 0;
}
