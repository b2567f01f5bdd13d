"""Modbus frames of every framing, found in bytes and shown byte by byte. Pure.

finding.py          bytes of a line or connection -> frames and bytes that are none
roles.py            request or reply, by form
pairing.py          request or reply, by order; which reply belongs to which request
sheet.py            fields, values and summary of a frame while it is read
functions.py        the data of each function
placed.py           addresses -> what a register map has there
unit_maps.py        the register map of each unit, while its mark is that of the map
registers.py        registers and bits of a frame, named by the map
values.py           registers and bits -> values
windows.py          cursor windows and windows for sealed messages
sealed.py           sealed messages, answers, receipts and statuses
long_messages.py    sealed messages that pass in several requests
decoder.py          all of it behind `FrameDecoder`
"""
