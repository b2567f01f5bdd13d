/* A libmodbus TCP server for many connections: libmodbus's example bandwidth-server-many-up.c, on a
 * free port. Prints the port when it is ready. Connections have TCP_NODELAY, as asyncio's have. */
#include <arpa/inet.h>
#include <errno.h>
#include <modbus.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void)
{
    uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];
    modbus_t *ctx = modbus_new_tcp("127.0.0.1", 0);
    modbus_mapping_t *mapping = modbus_mapping_new(16, 16, 512, 512);
    struct sockaddr_in bound;
    socklen_t size = sizeof bound;
    int one = 1;
    if (!ctx || !mapping)
        return 1;
    for (int i = 0; i < 512; i++)
        mapping->tab_registers[i] = i;
    int server = modbus_tcp_listen(ctx, 512);
    if (server < 0 || getsockname(server, (struct sockaddr *)&bound, &size) < 0) {
        fprintf(stderr, "listen: %s\n", modbus_strerror(errno));
        return 1;
    }
    printf("%d\n", ntohs(bound.sin_port));
    fflush(stdout);

    fd_set all, ready;
    FD_ZERO(&all);
    FD_SET(server, &all);
    int last = server;
    for (;;) {
        ready = all;
        if (select(last + 1, &ready, NULL, NULL, NULL) < 0)
            return 1;
        for (int fd = 0; fd <= last; fd++) {
            if (!FD_ISSET(fd, &ready))
                continue;
            if (fd == server) {
                int added = accept(server, NULL, NULL);
                if (added < 0 || added >= FD_SETSIZE)
                    return 1;
                setsockopt(added, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                FD_SET(added, &all);
                if (added > last)
                    last = added;
                continue;
            }
            modbus_set_socket(ctx, fd);
            int got = modbus_receive(ctx, query);
            if (got > 0) {
                modbus_reply(ctx, query, got, mapping);
            } else if (got < 0) {
                close(fd);
                FD_CLR(fd, &all);
                if (fd == last)
                    last--;
            }
        }
    }
}
