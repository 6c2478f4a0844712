/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Names: of statuses, reasons and claims. Everything here is expanded from the tables. */

#include "attest/reason_internal.h"
#include "attest/time_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/hex.h"

static const struct {
    const char *name;
    bool tolerable;
    const char *meaning;
} statuses[] = {
#define X(name, tolerable, meaning) {#name, (tolerable) != 0, meaning},
#include "attest/status.tbl.h"
#undef X
};
_Static_assert(ARRAY_COUNT(statuses) == ATT_TCB_COUNT_, "one row a status");

static const struct {
    const char *name;
    int err;
    const char *sentence;
    const char *advice;
} reasons[] = {
#define X(code, name, err, sentence, advice) {#name, err, sentence, advice},
#include "attest/reasons.tbl.h"
#undef X
};
_Static_assert(ARRAY_COUNT(reasons) == ATT_CODE_COUNT_, "one row a reason");

const struct att_claim_info att_claim_table[] = {
#define X(kind, name, dimension, group, meaning) \
    {#name,                                      \
     ATT_KIND_##kind,                            \
     ATT_GROUP_##group,                          \
     offsetof(struct att_claims, name),          \
     sizeof(((struct att_claims *)NULL)->name),  \
     meaning},
#include "attest/claims.tbl.h"
#undef X
};
const size_t att_claim_count = ARRAY_COUNT(att_claim_table);

const char *att_tcb_status_name(enum att_tcb_status status)
{
    return (unsigned)status < ATT_TCB_COUNT_ ? statuses[status].name : "unknown";
}

const char *att_tcb_status_meaning(enum att_tcb_status status)
{
    return (unsigned)status < ATT_TCB_COUNT_ ? statuses[status].meaning : "";
}

bool att_tcb_status_tolerable(enum att_tcb_status status)
{
    return (unsigned)status < ATT_TCB_COUNT_ && statuses[status].tolerable;
}

int att_tcb_status_from_name(const char *name, enum att_tcb_status *ret)
{
    for (size_t i = 0; i < ARRAY_COUNT(statuses); i++) {
        if (strcmp(name, statuses[i].name) == 0) {
            *ret = (enum att_tcb_status)i;
            return 0;
        }
    }
    return -EINVAL;
}

const char *att_code_name(enum att_code code)
{
    return (unsigned)code < ATT_CODE_COUNT_ ? reasons[code].name : "unknown";
}

const char *att_code_sentence(enum att_code code)
{
    return (unsigned)code < ATT_CODE_COUNT_ ? reasons[code].sentence : "unknown reason";
}

const char *att_code_advice(enum att_code code)
{
    return (unsigned)code < ATT_CODE_COUNT_ ? reasons[code].advice : "";
}

int att_refuse(struct att_reason *why, enum att_code code, const char *fmt, ...)
{
    if (why != NULL) {
        va_list ap;

        why->code = code;
        va_start(ap, fmt);
        (void)vsnprintf(why->detail, sizeof(why->detail), fmt, ap);
        va_end(ap);
    }
    return -reasons[code].err;
}

static void format_scalar(const struct att_claim_info *info, const void *p, char *dst, size_t cap)
{
    enum att_tcb_status status;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    int64_t t;
    char when[32];

    switch (info->kind) {
    case ATT_KIND_U16:
        memcpy(&u16, p, sizeof(u16));
        (void)snprintf(dst, cap, "%u", u16);
        break;
    case ATT_KIND_U32:
        memcpy(&u32, p, sizeof(u32));
        (void)snprintf(dst, cap, "%u", u32);
        break;
    case ATT_KIND_U64:
        memcpy(&u64, p, sizeof(u64));
        (void)snprintf(dst, cap, "0x%llx", (unsigned long long)u64);
        break;
    case ATT_KIND_BOOL: (void)snprintf(dst, cap, "%s", *(const bool *)p ? "true" : "false"); break;
    case ATT_KIND_TIME:
        memcpy(&t, p, sizeof(t));
        att_time_format(t, when);
        (void)snprintf(dst, cap, "%s", when);
        break;
    case ATT_KIND_STATUS:
        memcpy(&status, p, sizeof(status));
        (void)snprintf(dst, cap, "%s", att_tcb_status_name(status));
        break;
    default: dst[0] = '\0'; break;
    }
}

void att_claim_format(const struct att_claims *claims, const struct att_claim_info *info, char *dst,
                      size_t cap)
{
    const uint8_t *p = (const uint8_t *)claims + info->offset;
    enum att_root_class root;

    switch (info->kind) {
    case ATT_KIND_BYTES:
        if (cap < 2 * info->size + 1) {
            dst[0] = '\0';
            return;
        }
        hex_encode(dst, p, info->size);
        return;
    case ATT_KIND_TEXT: (void)snprintf(dst, cap, "%.*s", (int)info->size, (const char *)p); return;
    case ATT_KIND_ROOT:
        memcpy(&root, p, sizeof(root));
        (void)snprintf(dst, cap, "%s", root == ATT_ROOT_HARDWARE ? "hardware" : "software");
        return;
    default: format_scalar(info, p, dst, cap); return;
    }
}
