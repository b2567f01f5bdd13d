"""The mutants of the meter, and all mutants: each names the tests that are to find it."""

from __future__ import annotations

from tests.mutants.desk import DESK_MUTANTS
from tests.mutants.host import HOST_MUTANTS
from tests.mutants.maps import MAP_MUTANTS
from tests.mutants.mutant import Mutant
from tests.mutants.reports import REPORT_MUTANTS
from tests.mutants.tariffs import TARIFF_MUTANTS

ACCOUNT = "tests/unit/firmware_sim/account/test_account.py"
AUTHENTICATOR = "tests/unit/firmware_sim/acceptance/test_sealed.py"
STORAGE = "tests/unit/firmware_sim/storage/test_store.py"
ONCE = "tests/unit/meterctl"
REFERENCE = "tests/property/test_against_reference.py"
MACHINES = "tests/property/test_machines.py"
WIRE = "tests/unit/meterctl/drivers/test_modbus.py"
EXCHANGE = "tests/unit/meterctl/drivers/test_rtu_exchange.py"
LIMITS = "tests/unit/meterctl/operations/test_limits.py"
CARDS = "tests/attacks"
SLOT = "tests/unit/firmware_sim/token_carriers/test_card_slot.py"
PLAIN = "tests/unit/firmware_sim/acceptance/test_plain.py"
PLAIN_WIRE = "tests/unit/firmware_sim/servers/modbus/test_plain_writes.py"
STATUS = "tests/unit/firmware_sim/acceptance/test_status.py"
RECEIPTS = "tests/unit/firmware_sim/acceptance/test_receipts.py"
LAYOUTS = "tests/unit/firmware_sim/storage/test_layouts.py"
APPLET = "tests/unit/protocols/card"
EVENTS = "tests/unit/firmware_sim/programs/test_told_events.py"
OUTPUT = "tests/unit/firmware_sim/hosting/test_line_output.py"
PHASES = "tests/property/test_phase_energies.py"
OPERATOR = "tests/unit/firmware_sim/rack/test_operator.py"
FREEZES = "tests/unit/firmware_sim/test_freezes.py"
FREEZE_ROWS = "tests/unit/firmware_sim/storage/test_freeze_rows.py"
TABLES = "tests/unit/meterctl/drivers/test_modbus_tables.py"


METER_MUTANTS = (
    Mutant(
        "a plain credit of a count that a sealed purchase had is confirmed",
        "firmware_sim/acceptance/plain.py",
        "if purchase.carrier == Carrier.PLAIN and purchase.sequence == count:",
        "if purchase.number == count:",
        (PLAIN,),
    ),
    Mutant(
        "the same count with another amount is confirmed",
        "firmware_sim/acceptance/plain.py",
        "same = accepted == amount",
        "same = accepted is not None",
        (PLAIN,),
    ),
    Mutant(
        "a plain credit may leave counts out",
        "firmware_sim/acceptance/plain.py",
        "if count > purchases + 1:",
        "if count > purchases + 2:",
        (PLAIN,),
    ),
    Mutant(
        "plain writes without unsafe_writes",
        "firmware_sim/servers/modbus/plain_writes.py",
        "if not self._holding or not station.meter.takes_plain_writes:",
        "if not self._holding:",
        (PLAIN_WIRE,),
    ),
    Mutant(
        "a broadcast credits",
        "firmware_sim/servers/modbus/server.py",
        "if not plan_of(station.register_map).plain.concern(pdu):",
        "if pdu:",
        (PLAIN_WIRE,),
    ),
    Mutant(
        "a part of a value is written",
        "firmware_sim/servers/modbus/plain_writes.py",
        "if found[0].extent.start != written.start or found[-1].extent.stop != written.stop:",
        "if found[0].extent.start != written.start:",
        (PLAIN_WIRE,),
    ),
    Mutant(
        "balance and sequence in two records",
        "firmware_sim/meter.py",
        "                stored = self._store.commit(self._state)\n",
        "                half = self._state.clone()\n"
        "                half.security = before.security\n"
        "                self._store.commit(half)\n"
        "                stored = self._store.commit(self._state)\n",
        (STORAGE,),
    ),
    Mutant(
        "answer before commit",
        "firmware_sim/meter.py",
        "                stored = self._store.commit(self._state)\n",
        "                self._unsaved = True\n",
        (STORAGE,),
    ),
    Mutant(
        "commit without flush",
        "firmware_sim/storage/store.py",
        "        self._nvram.flush()\n        self._written.flushed = "
        "self._written.newest\n        self._rows",
        "        self._written.flushed = self._written.newest\n        self._rows",
        (STORAGE,),
    ),
    Mutant(
        "EXPIRED before ALREADY_ACCEPTED",
        "firmware_sim/acceptance/sealed.py",
        "        if message.sequence <= last:\n            before",
        "        if message.expires_at and elapsed_ms >= message.expires_at * 1000:\n"
        "            return Refused(Outcome.EXPIRED)\n"
        "        if message.sequence <= last:\n            before",
        (AUTHENTICATOR,),
    ),
    Mutant(
        "credit and commands in one sequence",
        "firmware_sim/security/replay.py",
        "        if message_class is MessageClass.CREDIT:\n            "
        "self.credit_sequence = sequence\n",
        "        if message_class is not None:\n            self.command_sequence = "
        "self.credit_sequence = sequence\n",
        (AUTHENTICATOR,),
    ),
    Mutant(
        "remainder dropped at a load change",
        "firmware_sim/environment.py",
        "            installation = replace(installation, load=load)\n",
        "            installation = replace(installation, load=load)\n"
        "            state.registers.import_remainder = 0\n",
        (REFERENCE,),
    ),
    Mutant(
        "the trip compared with < instead of <=",
        "firmware_sim/supply/thresholds.py",
        "    exhausted = credit <= -settings.overdraft_limit\n",
        "    exhausted = credit < -settings.overdraft_limit\n",
        (REFERENCE,),
    ),
    Mutant(
        "an inhibitor's end not evaluated",
        "firmware_sim/meter.py",
        "        if calendar_passed or delay_passed or reached_level:\n",
        "        if delay_passed or reached_level:\n",
        (REFERENCE,),
    ),
    Mutant(
        "read-back skipped",
        "meterctl/operations/limits.py",
        "    after = session.driver.read(wanted)\n",
        "    after = dict(wanted) if refusal is None else before\n",
        (LIMITS,),
    ),
    Mutant(
        "generations compared wrongly",
        "firmware_sim/storage/store.py",
        "        for generation in sorted(slots, reverse=True):\n",
        "        for generation in sorted(slots):\n",
        (STORAGE,),
    ),
    Mutant(
        "a daily charge made twice after the clock was set back",
        "firmware_sim/calendar_work.py",
        "    midnight = local.date > calendar.date and local.date not in calendar.dates_done\n",
        "    midnight = local.date > calendar.date\n",
        (AUTHENTICATOR,),
    ),
    Mutant(
        "unit check on a shared line left out",
        "meterctl/drivers/rtu_exchange.py",
        "            if frame[0] != request[0] or "
        "frame[1] & ~EXCEPTION_FLAG == Function.DIAGNOSTICS:\n",
        "            frame = request[:1] + frame[1:-2]\n"
        "            frame += crc16(frame).to_bytes(2, 'little')\n"
        "            if frame[1] & ~EXCEPTION_FLAG == Function.DIAGNOSTICS:\n",
        (EXCHANGE,),
    ),
    Mutant(
        "a late reply of another transaction accepted",
        "meterctl/drivers/tcp_exchange.py",
        "            if (frame.transaction, frame.unit) != (transaction, unit):\n"
        "                self._passed_over = True\n"
        "                continue\n",
        "            frame = frame._replace(transaction=transaction, unit=unit)\n",
        (WIRE,),
    ),
    Mutant(
        "a request on a line that is not settled",
        "meterctl/drivers/rtu_exchange.py",
        "        if self._settled:\n            return None\n",
        "        if True:\n            return None\n",
        (EXCHANGE,),
    ),
    Mutant(
        "any number of a probe settles the line",
        "meterctl/drivers/rtu_exchange.py",
        "        return frame == probe\n",
        "        return frame[1] == probe[1]\n",
        (EXCHANGE,),
    ),
    Mutant(
        "an echo taken for a reply",
        "meterctl/drivers/rtu_exchange.py",
        '        self._echo = b"" if frame[1] in _REPEATING and not self._echoes else frame\n',
        '        self._echo = b""\n',
        (EXCHANGE,),
    ),
    Mutant(
        "a void that leaves its sequence free",
        "firmware_sim/acceptance/sealed.py",
        "        security.take(message_class, message.sequence)\n",
        "        if message.kind.name != 'VOID':\n            "
        "security.take(message_class, message.sequence)\n",
        (AUTHENTICATOR, ONCE),
    ),
    Mutant(
        "a refused write that is kept",
        "firmware_sim/meter.py",
        "        except NvramError:\n            self._put_back(before, installation, defect)\n",
        "        except NvramError:\n",
        (STORAGE,),
    ),
    Mutant(
        "a cached reply returned after a change",
        "firmware_sim/servers/modbus/bank.py",
        "        return self._replies.get(request) if self._replies_at == "
        "self._meter.revision else None\n",
        "        return self._replies.get(request)\n",
        ("tests/conformance/test_modbus_functions.py", ONCE),
    ),
    Mutant(
        "the debt's share before the overdraft",
        "firmware_sim/account/account.py",
        "    to_overdraft = min(amount, max(0, -account.credit))\n"
        "    debt = max(0, account.debt)\n"
        "    to_debt = min(debt, amount - to_overdraft, amount * debt_share_percent // 100)\n",
        "    debt = max(0, account.debt)\n"
        "    to_debt = min(debt, amount * debt_share_percent // 100)\n"
        "    to_overdraft = min(amount - to_debt, max(0, -account.credit))\n",
        (ACCOUNT, MACHINES),
    ),
    Mutant(
        "a sequence that may be jumped",
        "firmware_sim/acceptance/sealed.py",
        "    reach = 1 if message_class is MessageClass.CREDIT else COMMAND_REACH\n",
        "    reach = COMMAND_REACH\n",
        (AUTHENTICATOR,),
    ),
    Mutant(
        "instalments taken into overdraft",
        "firmware_sim/account/account.py",
        "    instalment = min(settings.debt_instalment, max(0, account.debt), "
        "max(0, account.credit))\n",
        "    instalment = min(settings.debt_instalment, max(0, account.debt))\n",
        (REFERENCE,),
    ),
    Mutant(
        "a cached reply returned after the meter's time advanced",
        "firmware_sim/meter.py",
        "        if to_ms == state.elapsed_ms:\n            return\n        self.revision += 1\n",
        "        if to_ms == state.elapsed_ms:\n            return\n",
        (
            "tests/conformance/test_modbus_functions.py",
            ONCE,
            "tests/end_to_end/test_command_lines.py",
        ),
    ),
    Mutant(
        "the card written back before the meter has committed",
        "firmware_sim/token_carriers/card_slot.py",
        "        reply = self._hand_over(card)\n        if reply is None:\n",
        "        early = Insertion(None, Outcome.ACCEPTED, write_back=True)\n"
        "        if contents.return_slots.newest is None and card.credit.message:\n"
        "            yield from self._write_back(card, contents, early)\n"
        "        reply = self._hand_over(card)\n        if reply is None:\n",
        (CARDS,),
    ),
    Mutant(
        "a try counted after the proof was checked",
        "protocols/card/applet.py",
        "        self._commit(self.state.with_key(reference, replace(stored, "
        "tries=stored.tries - 1)))\n",
        "",
        (APPLET,),
    ),
    Mutant(
        "retry counters reset by a power cut",
        "protocols/card/memory.py",
        "        self._memory.write(page * PAGE, _encode(state, self._generation + 1))\n",
        "        if state.files == self.state.files:\n            self.state = state\n   "
        "         return\n"
        "        self._memory.write(page * PAGE, _encode(state, self._generation + 1))\n",
        (APPLET, CARDS),
    ),
    Mutant(
        "a card's state written over its current page",
        "protocols/card/memory.py",
        "        page = 1 - self._page\n",
        "        page = self._page\n",
        (CARDS,),
    ),
    Mutant(
        "a new sale accepted over an unread write-back",
        "firmware_sim/acceptance/cards.py",
        "        if new and not card.write_back_empty:\n",
        "        if new and card.credit.number < 0:\n",
        (SLOT,),
    ),
    Mutant(
        "a write-back for a card refused by max_credit",
        "firmware_sim/acceptance/cards.py",
        "     Outcome.EXCEEDS_MAX_CREDIT, Outcome.STORAGE_FAULT}\n",
        "     Outcome.STORAGE_FAULT}\n",
        (SLOT,),
    ),
    Mutant(
        "any card of the meter accepted as the bound one",
        "firmware_sim/acceptance/cards.py",
        "(kind is CardType.PURCHASE or outdated):\n",
        "outdated:\n",
        (SLOT,),
    ),
    Mutant(
        "a response's code not verified",
        "protocols/card/secure_messaging.py",
        "        if not same(code, self._code(1, data + response.status",
        "        if code is None and not same(code, self._code(1, data + response.status",
        (APPLET, CARDS),
    ),
    Mutant(
        "no send sequence counter",
        "protocols/card/secure_messaging.py",
        "        return authentication_code(self._key, (2 * self._count + answers)",
        "        return authentication_code(self._key, (0 * self._count + answers)",
        (APPLET,),
    ),
    Mutant(
        "an interrupted sale sold as a new one",
        "meterctl/operations/card/sales.py",
        "        return plan_of_carried(case, mine, _type_of_sale(case))\n",
        "        from meterctl.journal import EntryEvent\n"
        "        case.journal.settle(mine, EntryEvent.RECEIPT_OF_VOID, case.now())\n",
        (CARDS,),
    ),
    Mutant(
        "a write-back accepted without its code verified",
        "meterctl/operations/card/presented.py",
        "            verify_write_back(slot, derive_key(master, CARD_LABEL, meter, "
        "back.key_version))\n",
        "            derive_key(master, CARD_LABEL, meter, back.key_version)\n",
        (CARDS,),
    ),
    Mutant(
        "the write-back not erased at a sale",
        "protocols/card/issuing.py",
        "    yield from terminal.clear_write_back(contents.return_slots)\n    yield from "
        "terminal.write_credit",
        "    yield from terminal.write_credit",
        (CARDS,),
    ),
    Mutant(
        "an erased card's sale refused without a query to its meter",
        "meterctl/operations/card/erasure.py",
        "case.journal.settle(entry, EntryEvent.CARD_ERASED, case.now())",
        "case.journal.settle(entry, EntryEvent.RECEIPT_OF_VOID, case.now())",
        (CARDS,),
    ),
    Mutant(
        "a meter that was set back not detected",
        "meterctl/operations/card/comparison.py",
        "    if back.credit_sequence < before:\n",
        "    if back.credit_sequence < 0:\n",
        (CARDS,),
    ),
    Mutant(
        "another journal's credit erased without a warning",
        "meterctl/operations/card/erasure.py",
        "        if not unknown_sale:\n            raise\n",
        "",
        (CARDS,),
    ),
    Mutant(
        "a card voided for a top-up that is refused",
        "meterctl/operations/credit.py",
        "    if kind in (MessageKind.OPEN, MessageKind.CREDIT):\n        journal.limits.hold(",
        "    if kind is MessageKind.OPEN:\n        journal.limits.hold(",
        (CARDS,),
    ),
    Mutant(
        "expiry checked a second late",
        "firmware_sim/acceptance/sealed.py",
        "elapsed_ms >= message.expires_at * 1000",
        "elapsed_ms // 1000 > message.expires_at",
        (AUTHENTICATOR,),
    ),
    Mutant(
        "any version above the current one taken",
        "firmware_sim/acceptance/sealed.py",
        "        return version == min((held for held in self._keys if held > current), "
        "default=None)\n",
        "        return version > current\n",
        (AUTHENTICATOR,),
    ),
    Mutant(
        "the very bytes unknown after a key change",
        "firmware_sim/acceptance/sealed.py",
        "            return known or Refused(Outcome.UNKNOWN_KEY_VERSION)\n",
        "            return Refused(Outcome.UNKNOWN_KEY_VERSION)\n",
        (AUTHENTICATOR,),
    ),
    Mutant(
        "the row of the lowest journal number dropped instead of the oldest",
        "firmware_sim/security/replay.py",
        "            self.forgotten = max(self.forgotten, kept.pop(0).sequence)\n",
        "            oldest = min(kept, key=lambda row: row.journal)\n"
        "            kept.remove(oldest)\n"
        "            self.forgotten = max(self.forgotten, oldest.sequence)\n",
        (STATUS,),
    ),
    Mutant(
        "a dropped row not recorded in `forgotten`",
        "firmware_sim/security/replay.py",
        "            self.forgotten = max(self.forgotten, kept.pop(0).sequence)\n",
        "            kept.pop(0)\n",
        (STATUS,),
    ),
    Mutant(
        "committed values of a save without a flush",
        "firmware_sim/storage/store.py",
        "        self._write(state)\n        return 0\n",
        "        self._write(state)\n        self.lasting = lasting_of(state)\n        return 0\n",
        (STATUS,),
    ),
    Mutant(
        "a receipt sealed under the key version of its message",
        "firmware_sim/acceptance/sealed.py",
        "        receipt = replace(Receipt.decode(kept), key_version=keys.version)\n",
        "        receipt = Receipt.decode(kept)\n",
        (RECEIPTS,),
    ),
    Mutant(
        "a write-back under the key version of the card's binding",
        "firmware_sim/token_carriers/card_slot.py",
        "        keys = self._meter.authenticator.keys(self._meter.state.security.key_version)\n",
        "        keys = self._meter.authenticator.keys(card.identity.key_version)\n",
        (SLOT,),
    ),
    Mutant(
        "an older layout read with `forgotten` = 0",
        "firmware_sim/storage/layouts.py",
        "        [*security, _NO_CODE, 0, [], security[0]],\n",
        "        [*security, _NO_CODE, 0, [], 0],\n",
        (LAYOUTS,),
    ),
    Mutant(
        "records of a new layout under the header of the old one",
        "firmware_sim/storage/store.py",
        "        if self._names_older_layout:\n",
        "        if not self._encoder:\n",
        (LAYOUTS,),
    ),
    Mutant(
        "an event told with the credit after a jump of time",
        "firmware_sim/rack/stations.py",
        "partial(meter.advance, elapsed_ms, to_event=True)",
        "partial(meter.advance, elapsed_ms)",
        (EVENTS,),
    ),
    Mutant(
        "events of a storage's past told again",
        "firmware_sim/meter.py",
        "        self.events_before = state.numbers[EVENT_RING]\n",
        "        self.events_before = 0\n",
        (EVENTS,),
    ),
    Mutant(
        "lines that find no room not counted",
        "firmware_sim/hosting/line_output.py",
        "                self._missing += 1\n                return\n",
        "                return\n",
        (OUTPUT,),
    ),
    Mutant(
        "a meter that refuses keeps a command from the others",
        "firmware_sim/rack/operator.py",
        "    except (CommandFailedError, MeterStoppedError) as error:\n        return error\n",
        "    except (CommandFailedError, MeterStoppedError):\n        raise\n",
        (OPERATOR,),
    ),
    Mutant(
        "energies of phases begun again at each restart",
        "firmware_sim/assembly.py",
        "        if registers.phase_energies is None and description.keeps_phase_energies:\n",
        "        if description.keeps_phase_energies:\n",
        (PHASES,),
    ),
    Mutant(
        "energies of phases of the powers before a change of the load",
        "firmware_sim/flow.py",
        "    if state.registers.phase_energies is not None:\n",
        "    if state.registers.phase_energies is not None and not flow.counted:\n",
        (PHASES,),
    ),
    Mutant(
        "a freeze counts standing charges as consumption",
        "firmware_sim/calendar_work.py",
        "        state.account.consumption,\n    )\n    state.append(ring, row.pack())",
        "        state.account.consumption + state.account.standing,\n    )\n"
        "    state.append(ring, row.pack())",
        (FREEZES,),
    ),
    Mutant(
        "freezes of older layouts are lost once their tail was written",
        "firmware_sim/storage/store.py",
        "        if row is not None or older_place is None:\n",
        "        if row is not None or older_place is None or not self._names_older_layout:\n",
        (FREEZE_ROWS,),
    ),
    Mutant(
        "freezes in the tail of an older record stay short",
        "firmware_sim/storage/layouts.py",
        "row + Freeze.NOT_KEPT.hex() * (ring in (DAILY_RING, BILLING_RING))",
        "row + Freeze.NOT_KEPT.hex() * (ring == DAILY_RING)",
        (FREEZE_ROWS,),
    ),
    Mutant(
        "a tariff of two instants is put together",
        "meterctl/drivers/modbus_tariff.py",
        "        if (part.size, part.crc) != (first.size, first.crc):\n",
        "        if part.size < first.size:\n",
        (TABLES,),
    ),
    Mutant(
        "the refusal of the newer window is the answer of a meter of an older build",
        "meterctl/drivers/modbus_tables.py",
        "            except AddressRefusedError:\n                windows = (older,)\n",
        "            except AddressRefusedError:\n                if older.rows:\n"
        "                    raise\n                windows = (older,)\n",
        (TABLES,),
    ),
)

MUTANTS = (
    *METER_MUTANTS,
    *HOST_MUTANTS,
    *MAP_MUTANTS,
    *REPORT_MUTANTS,
    *TARIFF_MUTANTS,
    *DESK_MUTANTS,
)
