/* SPDX-License-Identifier: Apache-2.0
 *
 * Says who answers: a guest's side of the probe protocol (doctor_maintenance/probe/wire.py).
 *
 * "<sequence> <nonce>" over UDP or TCP is answered by "<sequence> <nonce> <name> <id>". A shell cannot do that a
 * hundred times a second under emulation, as each answer would be a process; this is one process that never
 * allocates once it serves, so it goes on through a live migration as it is.
 *
 * usage: responder PORT META_DATA_JSON
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    MAX_LINE = 512,      /* of the protocol */
    MAX_SUFFIX = 256,    /* of the protocol */
    MAX_CONNECTIONS = 64 /* the oldest is closed for a further one */
};

struct connection {
    int fd; /* -1: free */
    unsigned long order;
    size_t used;
    char line[MAX_LINE];
};

static char suffix[MAX_SUFFIX + 1];
static size_t suffix_length;
static struct connection connections[MAX_CONNECTIONS];

static void die(const char *what)
{
    fprintf(stderr, "responder: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* Copy the JSON string that begins at *at (past its quote) and leave *at past its end. What a name cannot have on
 * the wire, and escapes of other characters, become '?'. */
static void json_string(const char **at, char *to, size_t size)
{
    size_t length = 0;
    const char *p = *at;

    while (*p != '\0' && *p != '"') {
        char c = *p++;
        if (c == '\\' && *p != '\0') {
            c = *p++;
            if (c == 'u')
                for (int i = 0; i < 4 && isxdigit((unsigned char)*p); i++)
                    p++;
            if (c != '"' && c != '\\' && c != '/')
                c = '?';
        }
        if ((unsigned char)c < 0x20 || c == 0x7f)
            c = '?';
        if (length + 1 < size)
            to[length++] = c;
    }
    to[length] = '\0';
    *at = *p == '"' ? p + 1 : p;
}

/* Find a string member of the outermost object; a member of that name further in is somebody else's. */
static void member(const char *json, const char *key, char *value, size_t size)
{
    int depth = 0;
    char text[MAX_SUFFIX];

    value[0] = '\0';
    for (const char *p = json; *p != '\0';) {
        if (*p == '{' || *p == '[')
            depth++;
        if (*p == '}' || *p == ']')
            depth--;
        if (*p++ != '"')
            continue;
        json_string(&p, text, sizeof text);
        p += strspn(p, " \t\r\n");
        if (depth != 1 || *p != ':' || strcmp(text, key) != 0)
            continue;
        p++;
        p += strspn(p, " \t\r\n");
        if (*p == '"') {
            p++;
            json_string(&p, value, size);
            return;
        }
    }
}

/* Learn who this is. */
static void read_identity(const char *path)
{
    static char json[65536];
    char name[MAX_SUFFIX / 2], id[64];
    int fd = open(path, O_RDONLY);
    ssize_t length = 0, got;

    if (fd < 0)
        die(path);
    while ((got = read(fd, json + length, sizeof json - 1 - (size_t)length)) > 0)
        length += got;
    close(fd);
    member(json, "name", name, sizeof name);
    member(json, "uuid", id, sizeof id);
    if (name[0] == '\0') {
        fprintf(stderr, "responder: expected a member \"name\" in %s, found none\n", path);
        exit(1);
    }
    suffix_length = (size_t)snprintf(suffix, sizeof suffix, " %s%s%s", name, id[0] ? " " : "", id);
}

/* Put the answer to a line into out, without an end of line, and return its length; 0: no probe's line. */
static size_t answer(const char *line, size_t length, char *out)
{
    size_t digits = 0, end;

    while (length > 0 && isspace((unsigned char)line[length - 1]))
        length--;
    while (digits < length && isdigit((unsigned char)line[digits]))
        digits++;
    if (digits == 0 || digits > 18 || digits == length || line[digits] != ' ')
        return 0;
    for (end = digits + 1; end < length; end++)
        if (!isalnum((unsigned char)line[end]) && memchr("_.-", line[end], 3) == NULL)
            return 0;
    if (end == digits + 1 || end - digits - 1 > 64)
        return 0;
    memcpy(out, line, length);
    memcpy(out + length, suffix, suffix_length);
    return length + suffix_length;
}

/* Answer every datagram that waits, from the address that it was sent to: a guest may have several. */
static void serve_udp(int fd)
{
    for (;;) {
        char line[MAX_LINE], out[MAX_LINE + MAX_SUFFIX];
        char control[CMSG_SPACE(sizeof(struct in_pktinfo))];
        struct sockaddr_in peer;
        struct iovec data = {line, sizeof line};
        struct msghdr message = {&peer, sizeof peer, &data, 1, control, sizeof control, 0};
        ssize_t got = recvmsg(fd, &message, 0);
        size_t length;

        if (got < 0)
            return;
        length = answer(line, (size_t)got, out);
        if (length == 0)
            continue;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c))
            if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
                struct in_pktinfo *info = (struct in_pktinfo *)CMSG_DATA(c);
                info->ipi_ifindex = 0;
                info->ipi_spec_dst = info->ipi_addr;
            }
        data.iov_base = out;
        data.iov_len = length;
        sendmsg(fd, &message, MSG_DONTWAIT);
    }
}

static void drop(struct connection *connection)
{
    close(connection->fd);
    connection->fd = -1;
    connection->used = 0;
}

static void accept_all(int listener, int events)
{
    static unsigned long order;

    for (;;) {
        struct connection *chosen = &connections[0];
        int yes = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

        if (fd < 0)
            return;
        for (int i = 0; i < MAX_CONNECTIONS && chosen->fd >= 0; i++)
            if (connections[i].fd < 0 || connections[i].order < chosen->order)
                chosen = &connections[i];
        if (chosen->fd >= 0)
            drop(chosen);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        chosen->fd = fd;
        chosen->order = ++order;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = chosen};
        if (epoll_ctl(events, EPOLL_CTL_ADD, fd, &event) < 0)
            drop(chosen);
    }
}

/* Answer every whole line of a connection; whoever sends something else, or does not read, is dropped. */
static void serve_tcp(struct connection *connection)
{
    for (;;) {
        ssize_t got = read(connection->fd, connection->line + connection->used, MAX_LINE - connection->used);
        char *end;

        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0) {
            drop(connection);
            return;
        }
        connection->used += (size_t)got;
        while ((end = memchr(connection->line, '\n', connection->used)) != NULL) {
            char out[MAX_LINE + MAX_SUFFIX + 1];
            size_t taken = (size_t)(end - connection->line) + 1;
            size_t length = answer(connection->line, taken, out);

            out[length] = '\n';
            if (length == 0 || send(connection->fd, out, length + 1, MSG_NOSIGNAL) != (ssize_t)length + 1) {
                drop(connection);
                return;
            }
            connection->used -= taken;
            memmove(connection->line, end + 1, connection->used);
        }
        if (connection->used == MAX_LINE) {
            drop(connection);
            return;
        }
    }
}

static int bound(int kind, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    int yes = 1, fd = socket(AF_INET, kind | SOCK_NONBLOCK, 0);

    if (fd < 0)
        die("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        die("bind");
    return fd;
}

int main(int argc, char **argv)
{
    int udp, listener, events, yes = 1, port;

    if (argc != 3 || (port = atoi(argv[1])) < 1 || port > 65535) {
        fprintf(stderr, "usage: responder PORT META_DATA_JSON\n");
        return 2;
    }
    read_identity(argv[2]);
    for (int i = 0; i < MAX_CONNECTIONS; i++)
        connections[i].fd = -1;
    udp = bound(SOCK_DGRAM, port);
    setsockopt(udp, IPPROTO_IP, IP_PKTINFO, &yes, sizeof yes);
    listener = bound(SOCK_STREAM, port);
    if (listen(listener, MAX_CONNECTIONS) < 0)
        die("listen");
    if ((events = epoll_create1(0)) < 0)
        die("epoll");
    struct epoll_event on_udp = {.events = EPOLLIN, .data.ptr = &udp};
    struct epoll_event on_tcp = {.events = EPOLLIN, .data.ptr = &listener};
    if (epoll_ctl(events, EPOLL_CTL_ADD, udp, &on_udp) < 0 || epoll_ctl(events, EPOLL_CTL_ADD, listener, &on_tcp) < 0)
        die("epoll");
    printf("ready:%s\n", suffix);
    fflush(stdout);
    for (;;) {
        struct epoll_event happened;

        if (epoll_wait(events, &happened, 1, -1) != 1)
            continue;
        if (happened.data.ptr == &udp)
            serve_udp(udp);
        else if (happened.data.ptr == &listener)
            accept_all(listener, events);
        else
            serve_tcp(happened.data.ptr);
    }
}
