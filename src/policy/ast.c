/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "policy/ast.h"

#include <string.h>

#include "policy/keywords.h"

const struct pol_service *pol_find_service(const struct pol_session *s, const char *name)
{
    for (size_t i = 0; i < s->service_count; i++) {
        if (strcmp(s->services[i].name, name) == 0) {
            return &s->services[i];
        }
    }
    return NULL;
}

const struct pol_image *pol_find_image(const struct pol_session *s, const char *name)
{
    for (size_t i = 0; i < s->image_count; i++) {
        if (strcmp(s->images[i].name, name) == 0) {
            return &s->images[i];
        }
    }
    return NULL;
}

const struct pol_volume *pol_find_volume(const struct pol_session *s, const char *name)
{
    for (size_t i = 0; i < s->volume_count; i++) {
        if (strcmp(s->volumes[i].name, name) == 0) {
            return &s->volumes[i];
        }
    }
    return NULL;
}

const struct pol_secret *pol_find_secret(const struct pol_session *s, const char *name, size_t len)
{
    for (size_t i = 0; i < s->secret_count; i++) {
        const char *have = s->secrets[i].name;

        if (strlen(have) == len && memcmp(have, name, len) == 0) {
            return &s->secrets[i];
        }
    }
    return NULL;
}

const char *pol_word(unsigned list, unsigned position)
{
    const struct kw_word *w = word_at(list, position);

    return w != NULL ? w->word : "?";
}
