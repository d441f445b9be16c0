// Makes the disk below a directory fail on demand: an LD_PRELOAD library for tests.
//
//   CONFAB_FAULT_DIR      the directory (absolute, without a final slash)
//   CONFAB_FAULT_CONTROL  a file of at least one byte; its first byte says what fails now, from the next call on:
//
//     '-'  nothing
//     'S'  there is no space: what would make a file longer, or write to it at all, fails with ENOSPC
//     'H'  the same, but a write still takes half of its bytes first, as real disks do
//     'F'  a sync fails with EIO
//     'W'  a write fails with EIO
//
// The control file is mapped, so the test changes it with one write and no call pays more than a load while nothing
// fails.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

static const volatile char* control;
static const char* directory;

__attribute__((constructor)) static void start(void) {
    const char* path = getenv("CONFAB_FAULT_CONTROL");
    directory = getenv("CONFAB_FAULT_DIR");
    if (path == NULL || directory == NULL) {
        return;
    }
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    void* mapped = mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    control = mapped == MAP_FAILED ? NULL : mapped;
}

static char mode(void) {
    return control == NULL ? '-' : *control;
}

// Whether the descriptor is a file below the directory.
static int concerns(int fd) {
    char link[64];
    char path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) {
        return 0;
    }
    path[length] = '\0';
    const size_t prefix = strlen(directory);
    return strncmp(path, directory, prefix) == 0 && path[prefix] == '/';
}

// The error that a write of `size` bytes has to fail with now, or 0; a short write is granted by making `size` smaller.
static int write_fault(int fd, size_t* size) {
    const char now = mode();
    if ((now != 'S' && now != 'H' && now != 'W') || !concerns(fd)) {
        return 0;
    }
    if (now == 'H' && *size > 1) {
        *size /= 2;
        return 0;
    }
    return now == 'W' ? EIO : ENOSPC;
}

static int sync_fault(int fd) {
    return mode() == 'F' && concerns(fd) ? EIO : 0;
}

#define NEXT(type, name)                     \
    static type next;                        \
    if (next == NULL) {                      \
        next = (type)dlsym(RTLD_NEXT, name); \
    }

#define FAIL_WITH(code)       \
    do {                      \
        const int c = (code); \
        if (c != 0) {         \
            errno = c;        \
            return -1;        \
        }                     \
    } while (0)

typedef ssize_t (*write_type)(int, const void*, size_t);
typedef ssize_t (*pwrite_type)(int, const void*, size_t, off_t);
typedef int (*sync_type)(int);
typedef int (*truncate_type)(int, off_t);
typedef int (*allocate_type)(int, off_t, off_t);

ssize_t write(int fd, const void* data, size_t size) {
    NEXT(write_type, "write")
    FAIL_WITH(write_fault(fd, &size));
    return next(fd, data, size);
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t at) {
    NEXT(pwrite_type, "pwrite")
    FAIL_WITH(write_fault(fd, &size));
    return next(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void* data, size_t size, off64_t at) {
    NEXT(pwrite_type, "pwrite64")
    FAIL_WITH(write_fault(fd, &size));
    return next(fd, data, size, at);
}

int fsync(int fd) {
    NEXT(sync_type, "fsync")
    FAIL_WITH(sync_fault(fd));
    return next(fd);
}

int fdatasync(int fd) {
    NEXT(sync_type, "fdatasync")
    FAIL_WITH(sync_fault(fd));
    return next(fd);
}

// Making a file shorter needs no space.
static int truncate_fault(int fd, off_t length) {
    const char now = mode();
    if ((now != 'S' && now != 'H' && now != 'W') || !concerns(fd)) {
        return 0;
    }
    if (now == 'W') {
        return EIO;
    }
    const off_t end = lseek(fd, 0, SEEK_END);
    return end >= 0 && length > end ? ENOSPC : 0;
}

int ftruncate(int fd, off_t length) {
    NEXT(truncate_type, "ftruncate")
    FAIL_WITH(truncate_fault(fd, length));
    return next(fd, length);
}

int ftruncate64(int fd, off64_t length) {
    NEXT(truncate_type, "ftruncate64")
    FAIL_WITH(truncate_fault(fd, length));
    return next(fd, length);
}

int posix_fallocate(int fd, off_t at, off_t length) {
    NEXT(allocate_type, "posix_fallocate")
    const char now = mode();
    if ((now == 'S' || now == 'H') && concerns(fd)) {
        return ENOSPC;
    }
    return next(fd, at, length);
}
