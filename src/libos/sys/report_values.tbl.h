/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The counters of a process that --stats prints, once, in the order of printing.
 *
 *   X(name, summed, description)
 *
 * `summed`: a total over the processes of a family says something.
 */

X(exits, true, "host calls")
X(aex, true, "asynchronous exits of the first thread")
X(page_faults, true, "page faults")
X(syscall_traps, true, "system calls that came by an exception")
X(sites_patched, true, "system calls that were rewritten")
X(sites_left, true, "and those that cannot be")
X(pages_committed, false, "pages in use at the end")
X(pages_peak, false, "and at most")
X(page_commits, true, "pages taken")
X(page_decommits, true, "and given back")
X(page_protects, true, "changes of protection")
X(heap_free_pages, false, "of the library OS's heap, unused at the end")
