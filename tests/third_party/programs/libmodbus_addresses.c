/* Where libmodbus's unit-test-client connects: its source names one port and one serial device.
 *
 * Linked with --wrap: calls of modbus_new_tcp and modbus_new_rtu come here, and those for the
 * named places go to METER_TCP_PORT and METER_RTU of the environment. */
#include <modbus.h>
#include <stdlib.h>
#include <string.h>

modbus_t *__real_modbus_new_tcp(const char *address, int port);
modbus_t *__real_modbus_new_rtu(const char *device, int baud, char parity, int data_bit,
                                int stop_bit);

modbus_t *__wrap_modbus_new_tcp(const char *address, int port) {
    const char *own = getenv("METER_TCP_PORT");
    return __real_modbus_new_tcp(address, port == 1502 && own ? atoi(own) : port);
}

modbus_t *__wrap_modbus_new_rtu(const char *device, int baud, char parity, int data_bit,
                                int stop_bit) {
    const char *own = getenv("METER_RTU");
    int named = device && strncmp(device, "/dev/ttyUSB", 11) == 0;
    return __real_modbus_new_rtu(named && own ? own : device, baud, parity, data_bit, stop_bit);
}
