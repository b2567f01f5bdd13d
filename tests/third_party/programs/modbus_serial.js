// modbus-serial, on TCP and on a serial line; see ../clients.py for the arguments.
"use strict";
const ModbusRTU = require("modbus-serial");
const DECODERS = require("./decoders.js");

const task = JSON.parse(process.argv[2]);

async function main() {
  const client = new ModbusRTU();
  if (task.tcp) await client.connectTCP(task.tcp[0], { port: task.tcp[1] });
  else await client.connectRTUBuffered(task.rtu, { baudRate: 115200 });
  client.setID(task.unit);
  client.setTimeout(3000);
  const values = [];
  for (const [area, address, kind] of task.questions) {
    const count = Number(kind.slice(1)) / 16;
    const reply = await (area === "input"
      ? client.readInputRegisters(address, count)
      : client.readHoldingRegisters(address, count));
    values.push(DECODERS[kind](reply.buffer));
  }
  process.stdout.write(JSON.stringify(values), () => process.exit(0));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
