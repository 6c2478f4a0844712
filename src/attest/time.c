/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "attest/time_internal.h"

#include <stdio.h>
#include <string.h>

#include "attest/verifier.h"

#define DAY_SECONDS 86400

static bool is_leap(unsigned y)
{
    return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static unsigned month_days(unsigned y, unsigned m)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return m == 2 && is_leap(y) ? 29 : days[m - 1];
}

/* Days from 1970-01-01, counted in years that begin on 1 March so that the leap day is last. */
static int64_t days_from_civil(unsigned year, unsigned month, unsigned day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = y / 400;
    int64_t year_of_era = y - era * 400;
    int64_t month_from_march = month > 2 ? (int64_t)month - 3 : (int64_t)month + 9;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * 146097 + day_of_era - 719468;
}

int att_date_to_unix(const struct att_date *d, int64_t *ret)
{
    if (d->year < 1 || d->year > 9999 || d->month < 1 || d->month > 12 || d->day < 1 ||
        d->day > month_days(d->year, d->month) || d->hour > 23 || d->minute > 59 ||
        d->second > 59) {
        return -EBADMSG;
    }
    *ret = days_from_civil(d->year, d->month, d->day) * DAY_SECONDS + (int64_t)d->hour * 3600 +
           (int64_t)d->minute * 60 + d->second;
    return 0;
}

int att_digits(const char *s, size_t count, unsigned *ret)
{
    unsigned v = 0;

    for (size_t i = 0; i < count; i++) {
        if (s[i] < '0' || s[i] > '9') {
            return -EBADMSG;
        }
        v = v * 10 + (unsigned)(s[i] - '0');
    }
    *ret = v;
    return 0;
}

int att_rfc3339_parse(const char *s, size_t len, int64_t *ret)
{
    struct att_date d;

    if (len != 20 || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' ||
        s[19] != 'Z') {
        return -EBADMSG;
    }
    if (att_digits(s, 4, &d.year) != 0 || att_digits(s + 5, 2, &d.month) != 0 ||
        att_digits(s + 8, 2, &d.day) != 0 || att_digits(s + 11, 2, &d.hour) != 0 ||
        att_digits(s + 14, 2, &d.minute) != 0 || att_digits(s + 17, 2, &d.second) != 0) {
        return -EBADMSG;
    }
    return att_date_to_unix(&d, ret);
}

int att_time_parse(const char *s, int64_t *ret)
{
    size_t len = strlen(s);
    int64_t v = 0;

    if (att_rfc3339_parse(s, len, ret) == 0) {
        return 0;
    }
    if (len == 0 || len > 12) {
        return -EINVAL;
    }
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9') {
            return -EINVAL;
        }
        v = v * 10 + (s[i] - '0');
    }
    *ret = v;
    return 0;
}

void att_time_format(int64_t t, char dst[static 32])
{
    int64_t days = t / DAY_SECONDS;
    int64_t rest = t % DAY_SECONDS;
    unsigned year = 1970;
    unsigned month = 1;

    if (t < 0 || t > INT64_C(253402300799)) {
        (void)snprintf(dst, 32, "@%lld", (long long)t);
        return;
    }
    for (; days >= (is_leap(year) ? 366 : 365); year++) {
        days -= is_leap(year) ? 366 : 365;
    }
    for (; days >= month_days(year, month); month++) {
        days -= month_days(year, month);
    }
    (void)snprintf(dst, 32, "%04u-%02u-%02uT%02u:%02u:%02uZ", year % 10000, month,
                   (unsigned)days + 1, (unsigned)(rest / 3600), (unsigned)(rest / 60 % 60),
                   (unsigned)(rest % 60));
}
