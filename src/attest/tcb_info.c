/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <stdlib.h>
#include <string.h>

#include "attest/json_internal.h"
#include "attest/reason_internal.h"
#include "attest/tcb_internal.h"

int tcb_once(uint32_t *seen, unsigned bit)
{
    if ((*seen & 1u << bit) != 0) {
        return -EBADMSG;
    }
    *seen |= 1u << bit;
    return 0;
}

int tcb_split_signed(struct cursor document, const char *member, struct cursor *ret_inner,
                     uint8_t ret_signature[static 64])
{
    struct cursor inner = {0};
    struct json_text name;
    bool first = true;
    uint32_t seen = 0;
    int r;

    if (json_enter(&document, '{') != 0) {
        return -EBADMSG;
    }
    while ((r = json_member(&document, &first, &name)) > 0) {
        if (json_is(&name, member)) {
            r = tcb_once(&seen, 0) ?: json_skip(&document, &inner);
        } else if (json_is(&name, "signature")) {
            r = tcb_once(&seen, 1) ?: json_hex(&document, ret_signature, 64);
        } else {
            r = -EBADMSG;
        }
        if (r != 0) {
            return -EBADMSG;
        }
    }
    if (r != 0 || seen != 3 || json_done(&document) != 0) {
        return -EBADMSG;
    }
    *ret_inner = inner;
    return 0;
}

int tcb_read_status(struct cursor *c, enum att_tcb_status *ret)
{
    struct json_text t;
    char name[48];

    if (json_text(c, &t) != 0 || t.len >= sizeof(name)) {
        return -EBADMSG;
    }
    memcpy(name, t.p, t.len);
    name[t.len] = '\0';
    /* Verdicts only a verifier comes to are no status of a level. */
    if (att_tcb_status_from_name(name, ret) != 0 || *ret == ATT_TCB_TCB_NOT_SUPPORTED ||
        *ret == ATT_TCB_TDRelaunchAdvised || *ret == ATT_TCB_TDRelaunchAdvisedConfigurationNeeded) {
        return -EBADMSG;
    }
    return 0;
}

static int pool_add(struct tcb_advisory_pool *pool, const struct json_text *t)
{
    if (t->len == 0 || t->len >= ATT_ADVISORY_NAME_SIZE || pool->count == TCB_ADVISORY_POOL) {
        return -EBADMSG;
    }
    if (pool->count == pool->room) {
        size_t room = pool->room == 0 ? 64 : pool->room * 2;
        char(*ids)[ATT_ADVISORY_NAME_SIZE] = reallocarray(pool->ids, room, sizeof(*ids));

        if (ids == NULL) {
            return -ENOMEM;
        }
        pool->ids = ids;
        pool->room = room;
    }
    memset(pool->ids[pool->count], 0, ATT_ADVISORY_NAME_SIZE);
    memcpy(pool->ids[pool->count], t->p, t->len);
    pool->count++;
    return 0;
}

int tcb_read_advisories(struct cursor *c, struct tcb_advisory_pool *pool,
                        struct tcb_advisories *ret)
{
    bool first = true;
    size_t start = pool->count;
    int r;

    if (json_enter(c, '[') != 0) {
        return -EBADMSG;
    }
    while ((r = json_element(c, &first)) > 0) {
        struct json_text t;

        if (json_text(c, &t) != 0) {
            return -EBADMSG;
        }
        r = pool_add(pool, &t);
        if (r != 0) {
            return r;
        }
    }
    ret->first = (uint16_t)start;
    ret->count = (uint16_t)(pool->count - start);
    return r;
}

/* --- levels of one number: {"tcb":{"isvsvn":n},"tcbDate":…,"tcbStatus":…,"advisoryIDs":[…]} --- */

static int read_isv_tcb(struct cursor *c, uint16_t *ret)
{
    struct json_text name;
    bool first = true;
    uint32_t seen = 0;
    uint64_t v = 0;
    int r;

    if (json_enter(c, '{') != 0) {
        return -EBADMSG;
    }
    while ((r = json_member(c, &first, &name)) > 0) {
        r = json_is(&name, "isvsvn") ? tcb_once(&seen, 0) ?: json_uint(c, UINT16_MAX, &v)
                                     : json_skip(c, NULL);
        if (r != 0) {
            return -EBADMSG;
        }
    }
    *ret = (uint16_t)v;
    return r == 0 && seen == 1 ? 0 : -EBADMSG;
}

static int read_isv_status(struct cursor *c, enum att_tcb_status *ret)
{
    if (tcb_read_status(c, ret) != 0) {
        return -EBADMSG;
    }
    return *ret == ATT_TCB_UpToDate || *ret == ATT_TCB_OutOfDate || *ret == ATT_TCB_Revoked
               ? 0
               : -EBADMSG;
}

static int read_isv_level(struct cursor *c, struct isv_level *level, struct tcb_advisory_pool *pool)
{
    struct json_text name;
    bool first = true;
    uint32_t seen = 0;
    int r;

    if (json_enter(c, '{') != 0) {
        return -EBADMSG;
    }
    while ((r = json_member(c, &first, &name)) > 0) {
        if (json_is(&name, "tcb")) {
            r = tcb_once(&seen, 0) ?: read_isv_tcb(c, &level->isv_svn);
        } else if (json_is(&name, "tcbDate")) {
            r = tcb_once(&seen, 1) ?: json_time(c, &level->date);
        } else if (json_is(&name, "tcbStatus")) {
            r = tcb_once(&seen, 2) ?: read_isv_status(c, &level->status);
        } else if (json_is(&name, "advisoryIDs")) {
            r = tcb_once(&seen, 3) ?: tcb_read_advisories(c, pool, &level->advisories);
        } else {
            r = json_skip(c, NULL);
        }
        if (r != 0) {
            return r;
        }
    }
    return r == 0 && (seen & 7) == 7 ? 0 : -EBADMSG;
}

int tcb_read_isv_levels(struct cursor *c, struct isv_levels *ret, struct tcb_advisory_pool *pool)
{
    bool first = true;
    int r;

    if (json_enter(c, '[') != 0) {
        return -EBADMSG;
    }
    while ((r = json_element(c, &first)) > 0) {
        if (ret->count == TCB_MODULE_LEVEL_MAX) {
            return -EBADMSG;
        }
        r = read_isv_level(c, &ret->levels[ret->count], pool);
        if (r != 0) {
            return r;
        }
        ret->count++;
    }
    return r == 0 && ret->count != 0 ? 0 : -EBADMSG;
}

/* --- TDX modules --- */

static int read_module_id(struct cursor *c, struct tdx_module *module)
{
    struct json_text t;

    if (json_text(c, &t) != 0 || t.len == 0 || t.len >= sizeof(module->id)) {
        return -EBADMSG;
    }
    memcpy(module->id, t.p, t.len);
    return 0;
}

#define MODULE_BASE_FIELDS     0x07u /* mrsigner, attributes, attributesMask */
#define MODULE_IDENTITY_FIELDS 0x1fu /* … and id, tcbLevels */

static int read_module(struct cursor *c, struct tdx_module *module, uint32_t required,
                       struct tcb_advisory_pool *pool)
{
    struct json_text name;
    bool first = true;
    uint32_t seen = 0;
    int r;

    if (json_enter(c, '{') != 0) {
        return -EBADMSG;
    }
    while ((r = json_member(c, &first, &name)) > 0) {
        if (json_is(&name, "mrsigner")) {
            r = tcb_once(&seen, 0) ?: json_hex(c, module->mrsigner, sizeof(module->mrsigner));
        } else if (json_is(&name, "attributes")) {
            r = tcb_once(&seen, 1) ?: json_hex(c, module->attributes, sizeof(module->attributes));
        } else if (json_is(&name, "attributesMask")) {
            r = tcb_once(&seen, 2)
                    ?: json_hex(c, module->attributes_mask, sizeof(module->attributes_mask));
        } else if (json_is(&name, "id")) {
            r = tcb_once(&seen, 3) ?: read_module_id(c, module);
        } else if (json_is(&name, "tcbLevels")) {
            r = tcb_once(&seen, 4) ?: tcb_read_isv_levels(c, &module->tcb, pool);
        } else {
            r = json_skip(c, NULL);
        }
        if (r != 0) {
            return r;
        }
    }
    return r == 0 && (seen & required) == required ? 0 : -EBADMSG;
}

static int read_modules(struct cursor *c, struct tcb_info *info)
{
    bool first = true;
    int r;

    if (json_enter(c, '[') != 0) {
        return -EBADMSG;
    }
    while ((r = json_element(c, &first)) > 0) {
        struct tdx_module *grown;

        if (info->module_count == TCB_MODULE_MAX) {
            return -EBADMSG;
        }
        grown = reallocarray(info->modules, info->module_count + 1, sizeof(*grown));
        if (grown == NULL) {
            return -ENOMEM;
        }
        info->modules = grown;
        memset(&grown[info->module_count], 0, sizeof(*grown));
        r = read_module(c, &grown[info->module_count], MODULE_IDENTITY_FIELDS, &info->pool);
        if (r != 0) {
            return r;
        }
        info->module_count++;
    }
    return r;
}

/* --- platform levels --- */

/* Version 3: sixteen objects {"svn":n,…}. */
static int read_components(struct cursor *c, uint8_t ret[static TCB_COMPONENTS])
{
    bool first = true;
    size_t count = 0;
    int r;

    if (json_enter(c, '[') != 0) {
        return -EBADMSG;
    }
    while ((r = json_element(c, &first)) > 0) {
        struct json_text name;
        bool first_member = true;
        uint32_t seen = 0;
        uint64_t v = 0;

        if (count == TCB_COMPONENTS || json_enter(c, '{') != 0) {
            return -EBADMSG;
        }
        while ((r = json_member(c, &first_member, &name)) > 0) {
            r = json_is(&name, "svn") ? tcb_once(&seen, 0) ?: json_uint(c, UINT8_MAX, &v)
                                      : json_skip(c, NULL);
            if (r != 0) {
                return -EBADMSG;
            }
        }
        if (r != 0 || seen != 1) {
            return -EBADMSG;
        }
        ret[count++] = (uint8_t)v;
    }
    return r == 0 && count == TCB_COMPONENTS ? 0 : -EBADMSG;
}

/* Version 2: "sgxtcbcomp01svn" … "sgxtcbcomp16svn". Another name yields TCB_COMPONENTS. */
static unsigned component_index(const struct json_text *name)
{
    unsigned n;

    if (name->len != 15 || memcmp(name->p, "sgxtcbcomp", 10) != 0 ||
        memcmp(name->p + 12, "svn", 3) != 0 || name->p[10] < '0' || name->p[10] > '1' ||
        name->p[11] < '0' || name->p[11] > '9') {
        return TCB_COMPONENTS;
    }
    n = (unsigned)(name->p[10] - '0') * 10 + (unsigned)(name->p[11] - '0');
    return n >= 1 && n <= TCB_COMPONENTS ? n - 1 : TCB_COMPONENTS;
}

enum {
    /* bits 0-15: the components one by one (version 2) */
    LEVEL_PCE_SVN = 16,
    LEVEL_SGX = 17,
    LEVEL_TDX = 18,
};
#define LEVEL_V2 0x1ffffu

static int read_level_tcb(struct cursor *c, const struct tcb_info *info, struct tcb_level *level)
{
    struct json_text name;
    bool first = true;
    uint32_t seen = 0;
    uint32_t required = 1u << LEVEL_PCE_SVN | 1u << LEVEL_SGX;
    uint64_t v;
    int r;

    if (json_enter(c, '{') != 0) {
        return -EBADMSG;
    }
    while ((r = json_member(c, &first, &name)) > 0) {
        unsigned index = component_index(&name);

        if (index < TCB_COMPONENTS) {
            r = tcb_once(&seen, index) ?: json_uint(c, UINT8_MAX, &v);
            level->sgx[index] = r == 0 ? (uint8_t)v : 0;
        } else if (json_is(&name, "pcesvn")) {
            r = tcb_once(&seen, LEVEL_PCE_SVN) ?: json_uint(c, UINT16_MAX, &v);
            level->pce_svn = r == 0 ? (uint16_t)v : 0;
        } else if (json_is(&name, "sgxtcbcomponents")) {
            r = tcb_once(&seen, LEVEL_SGX) ?: read_components(c, level->sgx);
        } else if (json_is(&name, "tdxtcbcomponents")) {
            r = tcb_once(&seen, LEVEL_TDX) ?: read_components(c, level->tdx);
        } else {
            r = json_skip(c, NULL);
        }
        if (r != 0) {
            return -EBADMSG;
        }
    }
    if (info->version == 2) {
        required = LEVEL_V2;
    } else if (info->tdx) {
        required |= 1u << LEVEL_TDX;
    }
    /* Exactly what the version has: a mixture would be read differently by different readers. */
    return r == 0 && seen == required ? 0 : -EBADMSG;
}

static int read_level(struct cursor *c, struct tcb_info *info, struct tcb_level *level)
{
    struct json_text name;
    bool first = true;
    uint32_t seen = 0;
    int r;

    if (json_enter(c, '{') != 0) {
        return -EBADMSG;
    }
    while ((r = json_member(c, &first, &name)) > 0) {
        if (json_is(&name, "tcb")) {
            r = tcb_once(&seen, 0) ?: read_level_tcb(c, info, level);
        } else if (json_is(&name, "tcbDate")) {
            r = tcb_once(&seen, 1) ?: json_time(c, &level->date);
        } else if (json_is(&name, "tcbStatus")) {
            r = tcb_once(&seen, 2) ?: tcb_read_status(c, &level->status);
        } else if (json_is(&name, "advisoryIDs")) {
            r = tcb_once(&seen, 3) ?: tcb_read_advisories(c, &info->pool, &level->advisories);
        } else {
            r = json_skip(c, NULL);
        }
        if (r != 0) {
            return r;
        }
    }
    return r == 0 && (seen & 7) == 7 ? 0 : -EBADMSG;
}

static int read_levels(struct cursor *c, struct tcb_info *info)
{
    bool first = true;
    size_t room = 0;
    int r;

    if (json_enter(c, '[') != 0) {
        return -EBADMSG;
    }
    while ((r = json_element(c, &first)) > 0) {
        if (info->level_count == TCB_LEVEL_MAX) {
            return -EBADMSG;
        }
        if (info->level_count == room) {
            struct tcb_level *grown;

            room = room == 0 ? 16 : room * 2;
            grown = reallocarray(info->levels, room, sizeof(*grown));
            if (grown == NULL) {
                return -ENOMEM;
            }
            info->levels = grown;
        }
        memset(&info->levels[info->level_count], 0, sizeof(info->levels[0]));
        r = read_level(c, info, &info->levels[info->level_count]);
        if (r != 0) {
            return r;
        }
        info->level_count++;
    }
    return r == 0 && info->level_count != 0 ? 0 : -EBADMSG;
}

/* --- the document --- */

enum {
    INFO_ID,
    INFO_VERSION,
    INFO_ISSUE_DATE,
    INFO_NEXT_UPDATE,
    INFO_FMSPC,
    INFO_PCE_ID,
    INFO_TCB_TYPE,
    INFO_EVALUATION,
    INFO_MODULE,
    INFO_IDENTITIES,
    INFO_LEVELS,
};
#define INFO_REQUIRED                                                                         \
    (1u << INFO_VERSION | 1u << INFO_ISSUE_DATE | 1u << INFO_NEXT_UPDATE | 1u << INFO_FMSPC | \
     1u << INFO_PCE_ID | 1u << INFO_TCB_TYPE | 1u << INFO_EVALUATION | 1u << INFO_LEVELS)

static int read_u32(struct cursor *c, uint32_t *ret)
{
    uint64_t v;

    if (json_uint(c, UINT32_MAX, &v) != 0) {
        return -EBADMSG;
    }
    *ret = (uint32_t)v;
    return 0;
}

static int read_tee_id(struct cursor *c, bool *ret_tdx)
{
    struct json_text t;

    if (json_text(c, &t) != 0 || (!json_is(&t, "SGX") && !json_is(&t, "TDX"))) {
        return -EBADMSG;
    }
    *ret_tdx = json_is(&t, "TDX");
    return 0;
}

static int read_tcb_type(struct cursor *c)
{
    uint64_t type;

    /* 0: components compare one by one. No other type is defined. */
    return json_uint(c, 0, &type);
}

/* Order matters only for "tcbLevels": how a level reads depends on id and version, so it is kept as
 * a span and read last. */
static int read_info_member(struct cursor *c, const struct json_text *name, uint32_t *seen,
                            struct tcb_info *info, struct cursor *levels)
{
    if (json_is(name, "id")) {
        return tcb_once(seen, INFO_ID) ?: read_tee_id(c, &info->tdx);
    }
    if (json_is(name, "version")) {
        return tcb_once(seen, INFO_VERSION) ?: read_u32(c, &info->version);
    }
    if (json_is(name, "issueDate")) {
        return tcb_once(seen, INFO_ISSUE_DATE) ?: json_time(c, &info->issue_date);
    }
    if (json_is(name, "nextUpdate")) {
        return tcb_once(seen, INFO_NEXT_UPDATE) ?: json_time(c, &info->next_update);
    }
    if (json_is(name, "fmspc")) {
        return tcb_once(seen, INFO_FMSPC) ?: json_hex(c, info->fmspc, sizeof(info->fmspc));
    }
    if (json_is(name, "pceId")) {
        return tcb_once(seen, INFO_PCE_ID) ?: json_hex(c, info->pce_id, sizeof(info->pce_id));
    }
    if (json_is(name, "tcbType")) {
        return tcb_once(seen, INFO_TCB_TYPE) ?: read_tcb_type(c);
    }
    if (json_is(name, "tcbEvaluationDataNumber")) {
        return tcb_once(seen, INFO_EVALUATION) ?: read_u32(c, &info->evaluation_number);
    }
    if (json_is(name, "tdxModule")) {
        info->has_base_module = true;
        return tcb_once(seen, INFO_MODULE)
                   ?: read_module(c, &info->base_module, MODULE_BASE_FIELDS, &info->pool);
    }
    if (json_is(name, "tdxModuleIdentities")) {
        return tcb_once(seen, INFO_IDENTITIES) ?: read_modules(c, info);
    }
    if (json_is(name, "tcbLevels")) {
        return tcb_once(seen, INFO_LEVELS) ?: json_skip(c, levels);
    }
    return json_skip(c, NULL);
}

static int check_info(const struct tcb_info *info, uint32_t seen)
{
    if ((seen & INFO_REQUIRED) != INFO_REQUIRED || info->issue_date > info->next_update) {
        return -EBADMSG;
    }
    /* Version 2 knows SGX only and says no id; version 3 always says it. */
    if (info->version == 2) {
        return (seen & (1u << INFO_ID | 1u << INFO_MODULE | 1u << INFO_IDENTITIES)) == 0 ? 0
                                                                                         : -EBADMSG;
    }
    if (info->version != 3 || (seen & 1u << INFO_ID) == 0) {
        return -EBADMSG;
    }
    return info->tdx == info->has_base_module ? 0 : -EBADMSG;
}

int tcb_info_parse(struct cursor inner, struct tcb_info *ret, struct att_reason *why)
{
    struct tcb_info info = {0};
    struct json_text name = {0};
    struct cursor levels = {0};
    bool first = true;
    uint32_t seen = 0;
    int r = json_enter(&inner, '{');

    while (r == 0 && (r = json_member(&inner, &first, &name)) > 0) {
        r = read_info_member(&inner, &name, &seen, &info, &levels);
        if (r == 0) {
            continue;
        }
        tcb_info_done(&info);
        return r == -ENOMEM ? att_refuse(why, ATT_INTERNAL, "TCB info")
                            : att_refuse(why, ATT_TCB_INFO_MALFORMED, "TCB info: member \"%.*s\"",
                                         (int)MIN(name.len, (size_t)40), name.p);
    }
    if (r == 0) {
        r = json_done(&inner) ?: check_info(&info, seen);
    }
    if (r != 0) {
        tcb_info_done(&info);
        return att_refuse(why, ATT_TCB_INFO_MALFORMED,
                          "TCB info: structure, a missing member, or a version other than 2 and 3");
    }
    r = read_levels(&levels, &info);
    if (r != 0) {
        size_t level = info.level_count + 1;

        tcb_info_done(&info);
        return r == -ENOMEM ? att_refuse(why, ATT_INTERNAL, "TCB info")
                            : att_refuse(why, ATT_TCB_INFO_MALFORMED, "TCB info: level %zu", level);
    }
    *ret = info;
    return 0;
}

void tcb_info_done(struct tcb_info *info)
{
    free(info->modules);
    free(info->levels);
    free(info->pool.ids);
    *info = (struct tcb_info){0};
}
