/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Objects that the owner itself makes: for files in memory and System V segments. Everything here
 * is for the owner, or for a process that is alone; the caller holds no lock of the pager's.
 */

#include "libos/shm/directory.h"

[[nodiscard]] int shm_home_create(const struct directory_backing *backing, void *ctx,
                                  uint64_t pages, uint64_t *ret);
[[nodiscard]] int shm_home_attach(uint32_t member, uint64_t object);
void shm_home_drop(uint64_t object);
/* Has `act` look at, or change, a page while it is at home; waits for whoever has it. What `act`
 * was told as error. */
[[nodiscard]] int shm_home_visit(uint64_t object, uint64_t page, bool write,
                                 void (*act)(void *ctx, uint8_t *data), void *ctx);
/* Whoever waits on this word (shm/futexes.h). */
void shm_home_wake(uint64_t object, uint64_t offset);
/* A look at the books. */
bool shm_home_away(uint64_t object, uint64_t page, uint64_t last, uint64_t *ret);
void shm_home_forgive(uint64_t object, uint64_t page);
