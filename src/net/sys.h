/*
 * sys.h - system calls on sockets, with the simulated network's in front of the kernel's.  A
 * socket of the simulated network has a number from WEFT__SIM_FD on.
 */
#ifndef WEFT_NET_SYS_H
#define WEFT_NET_SYS_H

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft/net.h>

#include "run/run_int.h"

/* As their namesakes. */
int weft__sys_socket(int family, int type);
int weft__sim_bind(int fd, const struct sockaddr *address, socklen_t len);
int weft__sim_connect(int fd, const struct sockaddr *address, socklen_t len);
int weft__sim_listen(int fd, int backlog);
int weft__sim_shutdown(int fd);
int weft__sim_name(int fd, bool peer, struct sockaddr *address, socklen_t *len);
int weft__sim_setsockopt(int fd, int level, int name, const void *value);
/* A multicast group, of any interface. */
int weft__sim_change_group(int fd, const weft_address *group, bool join);
int weft__sim_unsent(int fd);
bool weft__sim_is_quiet(int fd);
void weft__sim_abort(int fd);
void weft__sim_close(int fd);
ssize_t weft__sim_sendto(int fd, const void *data, size_t len, const struct sockaddr *address,
                         socklen_t address_len);
ssize_t weft__sim_recvfrom(int fd, void *data, size_t len, struct sockaddr *address,
                           socklen_t *address_len);

/* Does the simulated network resolve names? Then what it gives, as weft_resolve. */
bool weft__sim_is_on(void);
int weft__sim_resolve(const char *host, uint16_t port, weft_address **ret, size_t *ret_n);

static inline int weft__sys_bind(int fd, const struct sockaddr *address, socklen_t len)
{
    return fd >= WEFT__SIM_FD ? weft__sim_bind(fd, address, len) : bind(fd, address, len);
}

static inline int weft__sys_listen(int fd, int backlog)
{
    return fd >= WEFT__SIM_FD ? weft__sim_listen(fd, backlog) : listen(fd, backlog);
}

static inline int weft__sys_shutdown_write(int fd)
{
    return fd >= WEFT__SIM_FD ? weft__sim_shutdown(fd) : shutdown(fd, SHUT_WR);
}

static inline int weft__sys_getsockname(int fd, struct sockaddr *address, socklen_t *len)
{
    return fd >= WEFT__SIM_FD ? weft__sim_name(fd, false, address, len)
                              : getsockname(fd, address, len);
}

static inline int weft__sys_getpeername(int fd, struct sockaddr *address, socklen_t *len)
{
    return fd >= WEFT__SIM_FD ? weft__sim_name(fd, true, address, len)
                              : getpeername(fd, address, len);
}

static inline int weft__sys_setsockopt(int fd, int level, int name, const void *value,
                                       socklen_t len)
{
    return fd >= WEFT__SIM_FD ? weft__sim_setsockopt(fd, level, name, value)
                              : setsockopt(fd, level, name, value, len);
}

/* Bytes that the other end's system has not confirmed yet. */
static inline int weft__sys_unsent(int fd)
{
    int bytes = -1;
    if (fd >= WEFT__SIM_FD)
        return weft__sim_unsent(fd);
    ioctl(fd, SIOCOUTQ, &bytes);
    return bytes;
}

/* Of datagrams; never waits. */
static inline ssize_t weft__sys_sendto(int fd, const void *data, size_t len,
                                       const struct sockaddr *address, socklen_t address_len)
{
    if (fd >= WEFT__SIM_FD)
        return weft__sim_sendto(fd, data, len, address, address_len);
    return sendto(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT, address, address_len);
}

static inline ssize_t weft__sys_recvfrom(int fd, void *data, size_t len, struct sockaddr *address,
                                         socklen_t *address_len)
{
    if (fd >= WEFT__SIM_FD)
        return weft__sim_recvfrom(fd, data, len, address, address_len);
    return recvfrom(fd, data, len, MSG_DONTWAIT | MSG_TRUNC, address, address_len);
}

static inline void weft__sys_close(int fd)
{
    if (fd >= WEFT__SIM_FD)
        weft__sim_close(fd);
    else
        close(fd);
}

#endif
