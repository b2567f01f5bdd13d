// Node's own decoders of the bytes that its clients return, by type.
"use strict";
module.exports = {
  u16: (data) => data.readUInt16BE(0),
  s16: (data) => data.readInt16BE(0),
  u32: (data) => data.readUInt32BE(0),
  s32: (data) => data.readInt32BE(0),
  u64: (data) => Number(data.readBigUInt64BE(0)),
  s64: (data) => Number(data.readBigInt64BE(0)),
  f32: (data) => data.readFloatBE(0),
};
