// jsmodbus, on TCP and on a serial line; see ../clients.py for the arguments.
"use strict";
const net = require("node:net");
const modbus = require("jsmodbus");
const { SerialPort } = require("serialport");
const DECODERS = require("./decoders.js");

const task = JSON.parse(process.argv[2]);

async function read(client) {
  const values = [];
  for (const [area, address, kind] of task.questions) {
    const count = Number(kind.slice(1)) / 16;
    const reply = await (area === "input"
      ? client.readInputRegisters(address, count)
      : client.readHoldingRegisters(address, count));
    values.push(DECODERS[kind](reply.response.body.valuesAsBuffer));
  }
  process.stdout.write(JSON.stringify(values), () => process.exit(0));
}

function fail(error) {
  console.error(error);
  process.exit(1);
}

if (task.tcp) {
  const socket = new net.Socket();
  const client = new modbus.client.TCP(socket, task.unit, 3000);
  socket.on("error", fail);
  socket.on("connect", () => read(client).catch(fail));
  socket.connect({ host: task.tcp[0], port: task.tcp[1] });
} else {
  const port = new SerialPort({ path: task.rtu, baudRate: 115200 });
  const client = new modbus.client.RTU(port, task.unit, 3000);
  port.on("error", fail);
  port.on("open", () => read(client).catch(fail));
}
