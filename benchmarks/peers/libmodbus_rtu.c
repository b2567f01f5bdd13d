/* A libmodbus RTU server, unit 1, on the master of a pty, whose file descriptor is the argument.
 * Prints a line when it is ready. A pty master has no path: libmodbus is given the descriptor. */
#include <errno.h>
#include <modbus.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    uint8_t query[MODBUS_RTU_MAX_ADU_LENGTH];
    modbus_t *ctx = modbus_new_rtu("/dev/null", 9600, 'N', 8, 1);
    modbus_mapping_t *mapping = modbus_mapping_new(16, 16, 512, 512);
    if (argc != 2 || !ctx || !mapping || modbus_set_slave(ctx, 1) < 0 ||
        modbus_set_socket(ctx, atoi(argv[1])) < 0) {
        fprintf(stderr, "%s\n", modbus_strerror(errno));
        return 1;
    }
    for (int i = 0; i < 512; i++)
        mapping->tab_registers[i] = i;
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        int got = modbus_receive(ctx, query);
        if (got > 0)
            modbus_reply(ctx, query, got, mapping);
    }
}
