/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include "core/types.h"

/* "ENOENT" for 2; "?" for what is no error number. */
const char *errno_name(int number);
/* 2 for the word "ENOENT" at the start of `text`, up to ':' or the end; 0 when unknown. */
int errno_number(const char *text);
