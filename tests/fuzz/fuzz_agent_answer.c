/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* A CAS's document through the agent: what becomes a record, the library OS can read, or says no.
 */

#include <stdlib.h>

#include "agent/agent.h"
#include "agent/channel.h"
#include "fuzz/fuzz.h"
#include "libos/attest/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const host[] = {"TZ=UTC"};
    static const uint8_t reference_root[32] = {0xab, 0xab};
    _cleanup_error_ struct error *err = NULL;
    struct channel_answer answer = {};
    const char *what;
    struct record r;
    uint8_t *record;
    size_t record_size;
    size_t head;
    size_t body;
    char reference[32];

    (void)channel_parse_head((const char *)data, size, &answer, &head, &body);
    agent_answer_reference((const char *)data, size, reference, sizeof(reference));
    if (agent_answer_to_record((const char *)data, size, host, 1, reference_root, &record,
                               &record_size, &err) == 0) {
        (void)record_parse(record, record_size, &r, &what);
        agent_wipe_free(record, record_size);
    }
    return 0;
}
