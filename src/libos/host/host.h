/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The only way out. Each wrapper marshals into untrusted memory, leaves the enclave, and checks
 * what came back: its comment in the source says what the host may lie about and which check stops
 * it. Pointers given here are into the enclave; lengths are unlimited (wrappers loop or truncate as
 * the call allows). Results: 0 or positive, or -errno from the known set (unknown codes become
 * -EIO).
 *
 * In the hosted build tests/unit/libos/fake_host.c stands behind the same functions.
 */

#include "core/types.h"

struct stat;
struct epoll_event;
struct host_pollfd;
struct thread;

/* life */
_noreturn_ void host_exit(int status);
void host_log(int level, const char *text, size_t size);

/* files */
[[nodiscard]] int host_openat(int dirfd, const char *path, int flags, uint32_t mode);
int host_close(int fd);
[[nodiscard]] int64_t host_read(int fd, void *dst, size_t size);
[[nodiscard]] int64_t host_write(int fd, const void *src, size_t size);
[[nodiscard]] int64_t host_pread(int fd, void *dst, size_t size, uint64_t offset);

/* struct stat of the kernel's x86-64 ABI, every field as the host claims it. */
struct host_stat {
    uint64_t dev, ino, nlink;
    uint32_t mode, uid, gid;
    uint64_t rdev;
    int64_t size, blksize, blocks;
    int64_t atime, atime_ns, mtime, mtime_ns, ctime, ctime_ns;
};
[[nodiscard]] int host_fstat(int fd, struct host_stat *ret);
[[nodiscard]] int host_fstatat(int dirfd, const char *path, int flags, struct host_stat *ret);
/* linux_dirent64 records, each checked to lie inside the buffer, NUL-terminated, without '/'. */
[[nodiscard]] int64_t host_getdents(int fd, void *dst, size_t size);
[[nodiscard]] int64_t host_lseek(int fd, int64_t offset, int whence);
[[nodiscard]] int host_ftruncate(int fd, uint64_t size);
int host_fsync(int fd, bool data_only);
[[nodiscard]] int host_mkdirat(int dirfd, const char *path, uint32_t mode);
[[nodiscard]] int host_unlinkat(int dirfd, const char *path, int flags);
[[nodiscard]] int host_renameat(int from_dirfd, const char *from, int to_dirfd, const char *to,
                                uint32_t flags);
[[nodiscard]] int host_linkat(int from_dirfd, const char *from, int to_dirfd, const char *to,
                              int flags);
[[nodiscard]] int host_symlinkat(const char *target, int dirfd, const char *path);
[[nodiscard]] int64_t host_readlinkat(int dirfd, const char *path, char *dst, size_t size);
[[nodiscard]] int host_fchmodat(int dirfd, const char *path, uint32_t mode);
[[nodiscard]] int host_utimensat(int dirfd, const char *path, const int64_t times[4], int flags);
[[nodiscard]] int host_fallocate(int fd, int mode, uint64_t offset, uint64_t size);
/* Maps a host file read-only into untrusted memory; the address is checked to be fully outside. The
 * bytes there can change at any time: copy before looking. */
[[nodiscard]] int host_map_file(int fd, uint64_t offset, uint64_t size, const void **ret);
void host_unmap(const void *p, uint64_t size);
/* For a few known requests with a known argument size (FIONREAD, TIOCGWINSZ, TCGETS …). */
[[nodiscard]] int64_t host_ioctl(int fd, uint64_t request, void *inout, size_t size);

/* sockets; addresses are copied both ways, `*size` in: capacity, out: true length (checked) */
[[nodiscard]] int host_socket(int family, int type, int protocol);
[[nodiscard]] int host_bind(int fd, const void *addr, uint32_t size);
[[nodiscard]] int host_listen(int fd, int backlog);
[[nodiscard]] int host_accept(int fd, void *addr, uint32_t *size, int flags);
[[nodiscard]] int host_connect(int fd, const void *addr, uint32_t size);
[[nodiscard]] int host_getsockname(int fd, void *addr, uint32_t *size);
[[nodiscard]] int host_getpeername(int fd, void *addr, uint32_t *size);
[[nodiscard]] int host_getsockopt(int fd, int level, int option, void *val, uint32_t *size);
[[nodiscard]] int host_setsockopt(int fd, int level, int option, const void *val, uint32_t size);
[[nodiscard]] int host_shutdown(int fd, int how);
[[nodiscard]] int64_t host_sendto(int fd, const void *src, size_t size, int flags, const void *addr,
                                  uint32_t addr_size);
[[nodiscard]] int64_t host_recvfrom(int fd, void *dst, size_t size, int flags, void *addr,
                                    uint32_t *addr_size);
[[nodiscard]] int host_poll(struct host_pollfd *fds, size_t count, int64_t timeout_ns);
[[nodiscard]] int host_epoll_create(void);
[[nodiscard]] int host_epoll_ctl(int epfd, int op, int fd, uint32_t events, uint64_t data);
/* `data` of every returned event is as the host claims: treat as an index to be checked. */
/* What came with an event: `size` bytes at `data` (kmalloc'd, the caller's), or 0 and NULL for
 * nothing, or -errno. Data there was no memory for is -ENOMEM: the stream has lost it. */
#define HOST_EPOLL_READ_MAX 64
struct host_arrival {
    int32_t size;
    uint8_t *data;
};
/* host_epoll_wait that takes the data of streams along (abi/hostcall.h). */
[[nodiscard]] int host_epoll_read(int epfd, struct epoll_event *events,
                                  struct host_arrival *arrivals, size_t count, int64_t timeout_ns);
[[nodiscard]] int host_epoll_wait(int epfd, struct epoll_event *events, size_t count,
                                  int64_t timeout_ns);
[[nodiscard]] int host_eventfd(uint64_t initial, int flags);

/* Untrusted memory of the two ends of a unix stream of the host, zeros at first, checked to lie
 * outside; host_unmap gives it back. One end offers, which sends a byte; the other takes.
 * -ENODATA: a byte came, and no memory with it. -EAGAIN: nothing came yet. */
[[nodiscard]] int host_share_offer(int fd, uint64_t size, void **ret);
[[nodiscard]] int host_share_take(int fd, uint64_t size, void **ret);

/* threads, waiting: `word` is this thread's untrusted park word, see boot/ */
[[nodiscard]] int host_thread_create(uint64_t tcs);
[[nodiscard]] int host_park(uint32_t expected,
                            int64_t timeout_ns); /* -EAGAIN, -EINTR, -ETIMEDOUT */
void host_unpark(const struct thread *t, uint32_t new_value);
void host_kick(const struct thread *t);
void host_yield(void);

/* A process of the host with a fresh enclave of the same bits: *ret_fd is our end of a stream to
 * whatever it is that the host runs there. */
[[nodiscard]] int host_process_fork(int *ret_fd);

/* time: monotonic per clock whatever the host says (never goes back) */
uint64_t host_clock(int clock_id);
/* One wake-up of this process at an absolute CLOCK_MONOTONIC moment in ns (0: none): the loader
 * then interrupts the first thread with SIGALRM in block->signals. */
void host_set_timer(uint64_t deadline);
/* Number of usable processors and the affinity mask, `size` bytes of it. */
[[nodiscard]] int host_getaffinity(void *mask, size_t size);
[[nodiscard]] int host_getcpu(uint32_t *ret_cpu, uint32_t *ret_node);
/* struct rusage words as the host claims: utime ns, stime ns, maxrss KiB, minflt, majflt, nvcsw,
 * nivcsw. */
void host_times(int who, uint64_t ret[static 7]);

/* attestation */
struct sgx_targetinfo;
struct sgx_report;
[[nodiscard]] int host_quote_target(struct sgx_targetinfo *ret);
[[nodiscard]] int64_t host_quote(const struct sgx_report *report, void *dst, size_t size);

/* EDMM requests to the driver; offsets from the enclave base. The enclave EACCEPTs afterwards,
 * which is what makes the answer trustworthy. */
[[nodiscard]] int host_augment(uint64_t offset, uint64_t size);
[[nodiscard]] int host_restrict_permissions(uint64_t offset, uint64_t size, uint64_t perm);
[[nodiscard]] int host_modify_types(uint64_t offset, uint64_t size, uint32_t type);
[[nodiscard]] int host_remove_pages(uint64_t offset, uint64_t size);
[[nodiscard]] int host_map(uint64_t offset, uint64_t size, int prot);
