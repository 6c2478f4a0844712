/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The schema, step by step: step N brings a database of version N - 1 to version N. Steps that were
 * released never change; a new one is added at the end.
 */

static const char *const store_schema[] = {
    /* 1 */
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE counter (one INTEGER PRIMARY KEY CHECK (one = 1), value INTEGER NOT NULL);"
    "INSERT INTO counter VALUES (1, 0);" /* grows with every write, never goes back */
    "CREATE TABLE sessions ("
    "  version INTEGER PRIMARY KEY,"
    "  name TEXT NOT NULL,"
    "  hash BLOB NOT NULL CHECK (length(hash) = 32),"
    "  created INTEGER NOT NULL,"
    "  document BLOB NOT NULL);"
    "CREATE UNIQUE INDEX sessions_by_hash ON sessions (name, hash);"
    "CREATE TABLE heads ("
    "  name TEXT PRIMARY KEY,"
    "  version INTEGER NOT NULL REFERENCES sessions (version)) WITHOUT ROWID;"
    "CREATE TABLE secrets ("
    "  session TEXT NOT NULL,"
    "  name TEXT NOT NULL,"
    "  version INTEGER NOT NULL,"
    "  kind INTEGER NOT NULL,"
    "  definition BLOB NOT NULL CHECK (length(definition) = 32),"
    "  data BLOB NOT NULL,"
    "  PRIMARY KEY (session, name)) WITHOUT ROWID;",
};
