/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <stdlib.h>

#include "attest/json_internal.h"
#include "attest/reason_internal.h"
#include "attest/tcb_internal.h"
#include "core/le.h"

enum {
    QE_ID,
    QE_VERSION,
    QE_ISSUE_DATE,
    QE_NEXT_UPDATE,
    QE_EVALUATION,
    QE_MISCSELECT,
    QE_MISCSELECT_MASK,
    QE_ATTRIBUTES,
    QE_ATTRIBUTES_MASK,
    QE_MRSIGNER,
    QE_ISV_PROD_ID,
    QE_LEVELS,
    QE_FIELD_COUNT,
};
#define QE_REQUIRED ((1u << QE_FIELD_COUNT) - 1)

/* Version 2 is the only one since API v2. "QVE" identifies Intel's verification enclave and never a
 * quoting one. */
static int read_id(struct cursor *c, bool *ret_tdx)
{
    struct json_text t;

    if (json_text(c, &t) != 0 || (!json_is(&t, "QE") && !json_is(&t, "TD_QE"))) {
        return -EBADMSG;
    }
    *ret_tdx = json_is(&t, "TD_QE");
    return 0;
}

static int read_version(struct cursor *c)
{
    uint64_t v;

    return json_uint(c, 2, &v) == 0 && v == 2 ? 0 : -EBADMSG;
}

static int read_number(struct cursor *c, uint64_t max, uint32_t *ret)
{
    uint64_t v;

    if (json_uint(c, max, &v) != 0) {
        return -EBADMSG;
    }
    *ret = (uint32_t)v;
    return 0;
}

/* The digits are the bytes of the report in memory order, as Intel's own library compares them. */
static int read_misc(struct cursor *c, uint32_t *ret)
{
    uint8_t bytes[4];

    if (json_hex(c, bytes, sizeof(bytes)) != 0) {
        return -EBADMSG;
    }
    *ret = le32_load(bytes);
    return 0;
}

static int read_prod_id(struct cursor *c, uint16_t *ret)
{
    uint32_t v;

    if (read_number(c, UINT16_MAX, &v) != 0) {
        return -EBADMSG;
    }
    *ret = (uint16_t)v;
    return 0;
}

static int read_member(struct cursor *c, const struct json_text *name, uint32_t *seen,
                       struct qe_identity *qe)
{
    if (json_is(name, "id")) {
        return tcb_once(seen, QE_ID) ?: read_id(c, &qe->tdx);
    }
    if (json_is(name, "version")) {
        return tcb_once(seen, QE_VERSION) ?: read_version(c);
    }
    if (json_is(name, "issueDate")) {
        return tcb_once(seen, QE_ISSUE_DATE) ?: json_time(c, &qe->issue_date);
    }
    if (json_is(name, "nextUpdate")) {
        return tcb_once(seen, QE_NEXT_UPDATE) ?: json_time(c, &qe->next_update);
    }
    if (json_is(name, "tcbEvaluationDataNumber")) {
        return tcb_once(seen, QE_EVALUATION) ?: read_number(c, UINT32_MAX, &qe->evaluation_number);
    }
    if (json_is(name, "miscselect")) {
        return tcb_once(seen, QE_MISCSELECT) ?: read_misc(c, &qe->miscselect);
    }
    if (json_is(name, "miscselectMask")) {
        return tcb_once(seen, QE_MISCSELECT_MASK) ?: read_misc(c, &qe->miscselect_mask);
    }
    if (json_is(name, "attributes")) {
        return tcb_once(seen, QE_ATTRIBUTES) ?: json_hex(c, qe->attributes, sizeof(qe->attributes));
    }
    if (json_is(name, "attributesMask")) {
        return tcb_once(seen, QE_ATTRIBUTES_MASK)
                   ?: json_hex(c, qe->attributes_mask, sizeof(qe->attributes_mask));
    }
    if (json_is(name, "mrsigner")) {
        return tcb_once(seen, QE_MRSIGNER) ?: json_hex(c, qe->mrsigner, sizeof(qe->mrsigner));
    }
    if (json_is(name, "isvprodid")) {
        return tcb_once(seen, QE_ISV_PROD_ID) ?: read_prod_id(c, &qe->isv_prod_id);
    }
    if (json_is(name, "tcbLevels")) {
        return tcb_once(seen, QE_LEVELS) ?: tcb_read_isv_levels(c, &qe->tcb, &qe->pool);
    }
    return json_skip(c, NULL);
}

int qe_identity_parse(struct cursor inner, struct qe_identity *ret, struct att_reason *why)
{
    struct qe_identity qe = {0};
    struct json_text name = {0};
    bool first = true;
    uint32_t seen = 0;
    int r = json_enter(&inner, '{');

    while (r == 0 && (r = json_member(&inner, &first, &name)) > 0) {
        r = read_member(&inner, &name, &seen, &qe);
        if (r == 0) {
            continue;
        }
        qe_identity_done(&qe);
        return r == -ENOMEM
                   ? att_refuse(why, ATT_INTERNAL, "QE identity")
                   : att_refuse(why, ATT_QE_IDENTITY_MALFORMED, "QE identity: member \"%.*s\"",
                                (int)MIN(name.len, (size_t)40), name.p);
    }
    if (r != 0 || json_done(&inner) != 0 || seen != QE_REQUIRED || qe.issue_date > qe.next_update) {
        qe_identity_done(&qe);
        return att_refuse(why, ATT_QE_IDENTITY_MALFORMED,
                          "QE identity: structure or a missing member");
    }
    *ret = qe;
    return 0;
}

void qe_identity_done(struct qe_identity *qe)
{
    free(qe->pool.ids);
    *qe = (struct qe_identity){0};
}
