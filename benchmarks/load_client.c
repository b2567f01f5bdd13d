/* The load of the Modbus benchmarks: closed loop, reads, every reply checked.
 *
 *     load_client tcp HOST PORT CONNECTIONS IN_FLIGHT REQUESTS FUNCTION ADDRESS COUNT
 *     load_client rtu PATH REQUESTS FUNCTION ADDRESS COUNT
 *
 * Each connection keeps IN_FLIGHT requests unanswered until REQUESTS were sent in all. A TCP reply
 * must carry the oldest unanswered transaction: where it carries a later one, those before it are
 * lost. Two seconds of silence end the run; unanswered requests are lost too. Prints one JSON
 * object; `seconds` runs from the first request to the last reply. load_client.py is the same in
 * Python, for machines without a compiler.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { REQUEST = 12, MAX_IN_FLIGHT = 256, SILENCE_MS = 2000, UNIT = 1, MAX_RTU = 256 };

struct connection {
    int fd;
    uint16_t next;
    int head, unanswered; /* a ring of transactions */
    long to_send;
    size_t have;
    uint16_t transactions[MAX_IN_FLIGHT];
    uint8_t in[16384];
};

static struct { long replies, lost, wrong, unsent; double first, last; } result;
static int function, address, count, in_flight;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void print_result(void)
{
    double seconds = result.last > result.first ? result.last - result.first : 0.0;
    printf("{\"replies\": %ld, \"lost\": %ld, \"wrong\": %ld, \"unsent\": %ld, ", result.replies,
           result.lost, result.wrong, result.unsent);
    printf("\"seconds\": %.6f}\n", seconds);
}

static void put16(uint8_t *at, int value)
{
    at[0] = value >> 8;
    at[1] = value;
}

/* Send as many requests as may be in flight, in one write. */
static void fill(struct connection *c)
{
    uint8_t out[REQUEST * MAX_IN_FLIGHT];
    size_t size = 0;
    while (c->unanswered < in_flight && c->to_send > 0) {
        uint8_t *r = out + size;
        put16(r, c->next);
        put16(r + 2, 0);
        put16(r + 4, 6);
        r[6] = UNIT;
        r[7] = function;
        put16(r + 8, address);
        put16(r + 10, count);
        size += REQUEST;
        c->transactions[(c->head + c->unanswered++) % MAX_IN_FLIGHT] = c->next++;
        c->to_send--;
    }
    if (size && send(c->fd, out, size, MSG_NOSIGNAL) != (ssize_t)size)
        fail("send");
}

static void give_up(struct connection *c)
{
    result.lost += c->unanswered;
    result.unsent += c->to_send;
    c->unanswered = c->to_send = 0;
}

/* Count one whole frame as a right or wrong reply, and skipped transactions as lost. */
static void check(struct connection *c, const uint8_t *frame, size_t size)
{
    int transaction = frame[0] << 8 | frame[1], at = 0;
    while (at < c->unanswered && c->transactions[(c->head + at) % MAX_IN_FLIGHT] != transaction)
        at++;
    if (at == c->unanswered) {
        result.wrong++; /* a reply without a request */
        return;
    }
    result.lost += at;
    c->head = (c->head + at + 1) % MAX_IN_FLIGHT;
    c->unanswered -= at + 1;
    if (size == 9u + 2 * count && frame[6] == UNIT && frame[7] == function && frame[8] == 2 * count)
        result.replies++;
    else
        result.wrong++;
}

/* Read received bytes; returns 0 when the connection is finished. */
static int readable(struct connection *c)
{
    ssize_t got = recv(c->fd, c->in + c->have, sizeof c->in - c->have, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 1;
    if (got <= 0) {
        give_up(c);
        return 0;
    }
    c->have += got;
    size_t at = 0;
    while (c->have - at >= 6) {
        const uint8_t *frame = c->in + at;
        size_t size = 6 + (frame[4] << 8 | frame[5]);
        if (frame[2] || frame[3] || size > 260) {
            result.wrong++;
            give_up(c);
            return 0;
        }
        if (c->have - at < size)
            break;
        check(c, frame, size);
        at += size;
    }
    memmove(c->in, c->in + at, c->have -= at);
    result.last = now();
    fill(c);
    return c->unanswered > 0;
}

static int tcp(char **a)
{
    const char *host = a[0];
    int port = atoi(a[1]), connections = atoi(a[2]);
    in_flight = atoi(a[3]);
    long requests = atol(a[4]);
    function = atoi(a[5]);
    address = atoi(a[6]);
    count = atoi(a[7]);
    if (connections < 1 || in_flight < 1 || in_flight > MAX_IN_FLIGHT)
        return 2;
    struct connection *all = calloc(connections, sizeof *all);
    int epoll = epoll_create1(0), open = connections, one = 1;
    if (!all || epoll < 0)
        fail("epoll");
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, host, &to.sin_addr) != 1)
        return 2;
    for (int i = 0; i < connections; i++) {
        struct connection *c = all + i;
        c->fd = socket(AF_INET, SOCK_STREAM, 0);
        if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0)
            fail("connect");
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        fcntl(c->fd, F_SETFL, O_NONBLOCK);
        c->to_send = requests / connections;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) < 0)
            fail("epoll_ctl");
    }
    result.first = result.last = now();
    for (int i = 0; i < connections; i++)
        fill(all + i);
    while (open > 0) {
        struct epoll_event ready[64];
        int events = epoll_wait(epoll, ready, 64, SILENCE_MS);
        if (events < 0 && errno != EINTR)
            fail("epoll_wait");
        if (events == 0)
            break;
        for (int i = 0; i < events; i++) {
            struct connection *c = ready[i].data.ptr;
            if (!readable(c)) {
                close(c->fd);
                open--;
            }
        }
    }
    for (int i = 0; i < connections; i++)
        give_up(all + i);
    print_result();
    return 0;
}

static uint16_t crc16(const uint8_t *data, size_t size)
{
    uint16_t crc = 0xFFFF;
    while (size--) {
        crc ^= *data++;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xA001 : crc >> 1;
    }
    return crc;
}

static int rtu(char **a)
{
    int fd = open(a[0], O_RDWR | O_NOCTTY);
    long requests = atol(a[1]);
    function = atoi(a[2]);
    address = atoi(a[3]);
    count = atoi(a[4]);
    if (fd < 0)
        fail(a[0]);
    uint8_t request[8] = {UNIT, function}, in[MAX_RTU];
    put16(request + 2, address);
    put16(request + 4, count);
    uint16_t crc = crc16(request, 6);
    request[6] = crc;
    request[7] = crc >> 8;
    size_t wanted = 5 + 2 * count;
    if (wanted > sizeof in)
        return 2;
    result.first = result.last = now();
    for (long sent = 0; sent < requests; sent++) {
        if (write(fd, request, sizeof request) != sizeof request)
            fail("write");
        size_t have = 0;
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        while (have < wanted && poll(&readable, 1, SILENCE_MS) > 0) {
            ssize_t got = read(fd, in + have, sizeof in - have);
            if (got <= 0)
                break;
            have += got;
        }
        if (have < wanted) {
            result.lost++;
            result.unsent = requests - sent - 1;
            break;
        }
        result.last = now();
        if (have == wanted && in[0] == UNIT && in[1] == function && in[2] == 2 * count &&
            crc16(in, have) == 0)
            result.replies++;
        else
            result.wrong++;
    }
    print_result();
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 10 && !strcmp(argv[1], "tcp"))
        return tcp(argv + 2);
    if (argc == 7 && !strcmp(argv[1], "rtu"))
        return rtu(argv + 2);
    fprintf(stderr, "load_client tcp HOST PORT CONNECTIONS IN_FLIGHT REQUESTS FUNCTION ADDRESS "
                    "COUNT | rtu PATH REQUESTS FUNCTION ADDRESS COUNT\n");
    return 2;
}
