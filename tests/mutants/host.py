"""Mutants of the host: the four proofs, the status, key versions, expiry and sales (METER.md 8)."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

ONCE = "tests/unit/meterctl/operations/test_exactly_once.py"
CONCLUSIONS = "tests/unit/meterctl/operations/test_conclusions.py"
JOURNAL = "tests/unit/meterctl/journal/test_layout.py"
SEVERAL_JOURNALS = "tests/attacks/test_several_journals.py"
UNTRUSTED_WIRE = "tests/attacks/test_untrusted_wire.py"
KEY_VERSIONS = "tests/attacks/test_key_versions.py"
SET_BACK_METERS = "tests/attacks/test_set_back_meters.py"
OPENINGS = "tests/attacks/test_openings_and_storages.py"
AFTER_DELIVERY = "tests/attacks/test_outcomes_after_delivery.py"
CLOSED_BY_HAND = "tests/attacks/test_closed_by_hand.py"
CARD_SALES = "tests/attacks/test_card_sales.py"
WRITE_BACKS = "tests/attacks/test_write_backs.py"
CARDS = "tests/attacks"
_CONCLUSIONS = "meterctl/operations/conclusions.py"
_STATUS = "meterctl/operations/status.py"
_SEALING = "meterctl/operations/sealing.py"
_ONCE = "meterctl/operations/exactly_once.py"
_RECEIPTS = "meterctl/operations/receipts.py"
_PROOFS = "meterctl/journal/proofs.py"


HOST_MUTANTS = (
    # ---- proof (a)
    Mutant(
        "(a) any receipt of the sequence confirms",
        _CONCLUSIONS,
        "    if receipt.code == entry.code:\n",
        "    if receipt.code != b'':\n",
        (CONCLUSIONS, SEVERAL_JOURNALS),
    ),
    Mutant(
        "(a) a receipt of another kind or amount confirms",
        _CONCLUSIONS,
        "if same and receipt.key_version >= message.key_version",
        "if receipt.key_version >= message.key_version",
        (CONCLUSIONS,),
    ),
    Mutant(
        "(a) a receipt below the message's key version confirms",
        _CONCLUSIONS,
        "if same and receipt.key_version >= message.key_version",
        "if same",
        (CONCLUSIONS, KEY_VERSIONS),
    ),
    Mutant(
        "(a) a receipt of another epoch confirms",
        _CONCLUSIONS,
        "    if not entry.lives_in(receipt.epoch):\n        return None\n",
        "",
        (CONCLUSIONS,),
    ),
    Mutant(
        "(a) a write-back for another message confirms",
        _CONCLUSIONS,
        "    if (back.answered_sequence, back.answered_code) != (entry.sequence, "
        "entry.code):\n        return None\n",
        "    if back.answered_sequence != entry.sequence:\n        return None\n",
        (CONCLUSIONS,),
    ),
    Mutant(
        "(a) a write-back's refusal confirms",
        _CONCLUSIONS,
        "    if outcome.applied and back",
        "    if outcome is not Outcome.SEQUENCE_CONFLICT and back",
        (CONCLUSIONS, CARDS),
    ),
    # ---- proof (b)
    Mutant(
        "(b) another code alone refuses",
        _CONCLUSIONS,
        "    if entry.epoch and has_reached(proofs, receipt.epoch, entry.sequence):\n",
        "    if entry.epoch:\n",
        (CONCLUSIONS,),
    ),
    Mutant(
        "(b) another code refuses an opening of epoch 0",
        _CONCLUSIONS,
        "    if entry.epoch and has_reached(proofs, receipt.epoch, entry.sequence):\n",
        "    if has_reached(proofs, receipt.epoch, entry.sequence):\n",
        (CONCLUSIONS, OPENINGS),
    ),
    Mutant(
        "(b) any void refuses",
        _CONCLUSIONS,
        "    if receipt.kind is MessageKind.VOID and receipt.code in proofs.voids:\n",
        "    if receipt.kind is MessageKind.VOID:\n",
        (CONCLUSIONS,),
    ),
    Mutant(
        "(b) a proof of another epoch has reached the sequence",
        _CONCLUSIONS,
        "    return any(p is not None and p.epoch == epoch and p.credit_sequence >= "
        "sequence for p in told)\n",
        "    return any(p is not None and p.credit_sequence >= sequence for p in told)\n",
        (CONCLUSIONS,),
    ),
    Mutant(
        "(b) a write-back's conflict refuses an opening of epoch 0",
        _CONCLUSIONS,
        "    if entry.epoch and outcome is Outcome.SEQUENCE_CONFLICT:\n",
        "    if outcome is Outcome.SEQUENCE_CONFLICT:\n",
        (CONCLUSIONS,),
    ),
    Mutant(
        "a void is confirmed by the proof of another void of its entry",
        _CONCLUSIONS,
        "    if void.code != accepted.code:\n        return EntryEvent.SEQUENCE_TAKEN\n",
        "",
        (CONCLUSIONS,),
    ),
    Mutant(
        "a void is settled by a proof of another epoch",
        _CONCLUSIONS,
        "    if not void.lives_in(accepted.epoch):\n        return None\n",
        "",
        (CONCLUSIONS, OPENINGS),
    ),
    # ---- proof (c)
    Mutant(
        "(c) the mark is not compared",
        _CONCLUSIONS,
        "    if (row.sequence, row.mark, row.code) == (entry.sequence, "
        "entry.origin.mark, entry.code):\n",
        "    if row.sequence == entry.sequence:\n",
        (CONCLUSIONS, SEVERAL_JOURNALS),
    ),
    Mutant(
        "(c) a status about another journal counts",
        _CONCLUSIONS,
        "    if not entry.origin.journal or status.journal != entry.origin.journal:\n    "
        "    return None\n",
        "    if not entry.origin.journal:\n        return None\n",
        (CONCLUSIONS,),
    ),
    Mutant(
        "(c) a meter that has not reached the sequence refuses",
        _CONCLUSIONS,
        "    if not entry.epoch or status.credit_sequence < entry.sequence:\n        return None\n",
        "    if not entry.epoch:\n        return None\n",
        (CONCLUSIONS, KEY_VERSIONS),
    ),
    Mutant(
        "(c) a later message of the journal refuses",
        _CONCLUSIONS,
        "    another = 0 < row.sequence <= entry.sequence\n",
        "    another = 0 < row.sequence\n",
        (CONCLUSIONS,),
    ),
    Mutant(
        "(c) `forgotten` is not compared",
        _CONCLUSIONS,
        "    none = not row.sequence and status.forgotten < entry.sequence\n",
        "    none = not row.sequence\n",
        (CONCLUSIONS, SEVERAL_JOURNALS),
    ),
    Mutant(
        "(c) `forgotten` equal to the sequence refuses",
        _CONCLUSIONS,
        "    none = not row.sequence and status.forgotten < entry.sequence\n",
        "    none = not row.sequence and status.forgotten <= entry.sequence\n",
        (CONCLUSIONS,),
    ),
    Mutant(
        "(c) its second half refuses an opening of epoch 0",
        _CONCLUSIONS,
        "    if not entry.epoch or status.credit_sequence < entry.sequence:\n",
        "    if status.credit_sequence < entry.sequence:\n",
        (CONCLUSIONS, OPENINGS),
    ),
    # ---- proof (d)
    Mutant(
        "(d) the same key version refuses",
        _CONCLUSIONS,
        "        if mine and version > message.key_version and sequence < entry.sequence:\n",
        "        if mine and version >= message.key_version and sequence < entry.sequence:\n",
        (CONCLUSIONS, KEY_VERSIONS),
    ),
    Mutant(
        "(d) a meter that has reached the sequence refuses",
        _CONCLUSIONS,
        "        if mine and version > message.key_version and sequence < entry.sequence:\n",
        "        if mine and version > message.key_version:\n",
        (CONCLUSIONS,),
    ),
    Mutant(
        "(d) another epoch's key version refuses",
        _CONCLUSIONS,
        "        mine = (meter, epoch) == (entry.meter, entry.epoch)\n",
        "        mine = meter == entry.meter\n",
        (CONCLUSIONS,),
    ),
    Mutant(
        "(d) holds for an opening of epoch 0",
        _CONCLUSIONS,
        "    if not entry.epoch:\n        return None\n    status, back = proofs.status, "
        "proofs.back\n",
        "    status, back = proofs.status, proofs.back\n"
        "    object.__setattr__(entry, 'epoch', status.epoch if status else 0)\n",
        (CONCLUSIONS,),
    ),
    Mutant(
        "of two proofs that differ, refused is chosen",
        _CONCLUSIONS,
        "    confirming = [conclusion for conclusion in conclusions if conclusion.event "
        "in CONFIRMING]\n",
        "    confirming = [conclusion for conclusion in conclusions if conclusion.event "
        "not in CONFIRMING]\n",
        (CONCLUSIONS,),
    ),
    # ---- the status
    Mutant(
        "a replayed status is accepted",
        _STATUS,
        "    if StatusQuestion(status.nonce, status.journal, status.key_version) != question:\n",
        "    if (status.journal, status.key_version) != (question.journal, "
        "question.key_version):\n",
        (UNTRUSTED_WIRE,),
    ),
    Mutant(
        "a status about another journal is accepted",
        _STATUS,
        "    if StatusQuestion(status.nonce, status.journal, status.key_version) != question:\n",
        "    if (status.nonce, status.key_version) != (question.nonce, question.key_version):\n",
        (UNTRUSTED_WIRE,),
    ),
    Mutant(
        "a status whose code is wrong is accepted",
        _STATUS,
        "    verify(sealed, session.ring.meter_keys(status.serial_number, "
        "status.key_version).credit)\n",
        "    session.ring.meter_keys(status.serial_number, status.key_version)\n",
        (UNTRUSTED_WIRE,),
    ),
    Mutant(
        "a register determines the content of a message",
        _STATUS,
        "            meter = _meter_of(session, status, floor, advance=advance)\n",
        "            meter = _meter_of(session, status, floor, advance=advance)\n"
        "            object.__setattr__(meter, 'credit_sequence', hint.credit_sequence)\n"
        "            object.__setattr__(meter, 'command_sequence', hint.command_sequence)\n",
        (UNTRUSTED_WIRE, ONCE),
    ),
    Mutant(
        "a meter that proves another serial number is served",
        _STATUS,
        "    if status.serial_number != serial_number:\n",
        "    if not serial_number:\n",
        (UNTRUSTED_WIRE,),
    ),
    Mutant(
        "another payee is served",
        _STATUS,
        "        if session.payee != serial_number:\n",
        "        if not serial_number:\n",
        (UNTRUSTED_WIRE,),
    ),
    Mutant(
        "a port that leads to another meter is accepted",
        _STATUS,
        "    if last and last != serial_number:\n",
        "    if last and not serial_number:\n",
        (UNTRUSTED_WIRE,),
    ),
    Mutant(
        "a meter that was set back is served",
        _STATUS,
        "    if problem is None:\n        return\n    text",
        "    if problem is None or problem:\n        return\n    text",
        (SET_BACK_METERS, ONCE),
    ),
    Mutant(
        "the instant of the last message is not compared",
        _PROOFS,
        "    known_last, last = (proved.last_code, proved.last_at), (status.last_code, "
        "status.last_at)\n",
        "    known_last, last = proved.last_code, status.last_code\n",
        (SET_BACK_METERS,),
    ),
    Mutant(
        "present totals are proved, not the committed ones",
        _PROOFS,
        "status.committed_elapsed, proof=sealed",
        "status.elapsed, proof=sealed",
        (SET_BACK_METERS,),
    ),
    Mutant(
        "a copied journal seals",
        _STATUS,
        "    return not row.sequence or journal.knows_mark(",
        "    return True or journal.knows_mark(",
        (SEVERAL_JOURNALS,),
    ),
    # ---- the floor of key versions, retired versions, expiry
    Mutant(
        "a version below the floor is used",
        "meterctl/key_ring.py",
        "(self.is_development or version >= floor)",
        "(self.is_development or version >= 0)",
        (KEY_VERSIONS,),
    ),
    Mutant(
        "a retired version is used",
        "meterctl/key_ring.py",
        "version in self.masters and version not in self.retired and",
        "version in self.masters and",
        (KEY_VERSIONS,),
    ),
    Mutant(
        "the floor does not rise",
        _PROOFS,
        "        if version == DEVELOPMENT_KEY_VERSION or version <= "
        "self.floor(meter):\n            return\n",
        "        if version >= DEVELOPMENT_KEY_VERSION:\n            return\n",
        (KEY_VERSIONS,),
    ),
    Mutant(
        "the next key version is used although the current one may be",
        _STATUS,
        "    sealing = current if session.ring.may_use(current, floor) and not advance "
        "else asked\n",
        "    sealing = asked\n",
        (KEY_VERSIONS,),
    ),
    Mutant(
        "a key change makes an open entry void",
        _SEALING,
        "        if entry.lives_in(meter.epoch) and entry.key_version < meter.sealing_version:\n",
        "        if entry.lives_in(meter.epoch) and entry.key_version < 0:\n",
        (KEY_VERSIONS,),
    ),
    Mutant(
        "a command never expires",
        "meterctl/operations/command.py",
        "    default = None if session.ring.is_development else LIVES_S\n",
        "    default = None\n",
        (UNTRUSTED_WIRE,),
    ),
    Mutant(
        "two sellers seal the same bytes",
        "meterctl/journal/numbers.py",
        "        return Origin(self.current, draw_number(self._random))\n",
        "        return Origin(1, 1)\n",
        (SEVERAL_JOURNALS,),
    ),
    Mutant(
        "two copies of a journal seal the same bytes",
        "meterctl/journal/numbers.py",
        "        return Origin(self.current, draw_number(self._random))\n",
        "        (last,) = self._db.row('SELECT COALESCE(MAX(id), 0) FROM entries')\n"
        "        return Origin(self.current, last + 1)\n",
        (SEVERAL_JOURNALS,),
    ),
    Mutant(
        "a receipt under any key version proves",
        _RECEIPTS,
        "        if receipt.serial_number != meter or not ring.may_use(receipt.key_version, "
        "journal.proofs.floor(meter)):\n            return None\n",
        "        if receipt.serial_number != meter:\n            return None\n",
        (KEY_VERSIONS,),
    ),
    Mutant(
        "the receipt's code not verified",
        _RECEIPTS,
        "        verify(sealed, ring.meter_keys(meter, receipt.key_version).key(message_class))\n",
        "        ring.meter_keys(meter, receipt.key_version).key(message_class)\n",
        (ONCE,),
    ),
    # ---- the steps of a sale
    Mutant(
        "a resend under a new sequence without proof",
        "meterctl/operations/entry_results.py",
        '    if conclusion is None:\n        raise unknown(session, journal, entry, "no '
        'answer proves its outcome")\n',
        "    if conclusion is None:\n"
        "        journal.settle(entry, EntryEvent.KEY_VERSION_PASSED, session.now())\n"
        "        raise RefusedError('again', outcome=EntryOutcome.SEQUENCE_CONFLICT)\n",
        (ONCE,),
    ),
    Mutant(
        "journal `confirmed` before the answer",
        _ONCE,
        "            entry = _begin(session, journal, hint, sale)\n",
        "            entry = _begin(session, journal, hint, sale)\n"
        "            journal.settle(entry, EntryEvent.RECEIPT, session.now())\n",
        (ONCE,),
    ),
    Mutant(
        "refusal without void",
        _ONCE,
        "    outcome = told.refused\n    assert outcome is not None\n    try:\n",
        "    outcome = told.refused\n    assert outcome is not None\n"
        "    journal.settle(entry, EntryEvent.RECEIPT_OF_VOID, session.now(), refusal=outcome)\n"
        "    raise RefusedError('refused')\n"
        "    try:\n",
        (ONCE,),
    ),
    Mutant(
        "a sale is given up after a conflict with another seller",
        _ONCE,
        "                if error.outcome != EntryOutcome.SEQUENCE_CONFLICT:\n"
        "                    raise\n",
        "                if error.outcome != EntryOutcome.SEQUENCE_CONFLICT or entry:\n"
        "                    raise\n",
        (ONCE, SEVERAL_JOURNALS),
    ),
    Mutant(
        "sequences below an entry are voided",
        "meterctl/operations/voids.py",
        "    if meter.credit_sequence < entry.sequence - 1:\n        raise SetBackError(\n",
        "    if meter.credit_sequence < 0:\n        raise SetBackError(\n",
        (ONCE, CARDS),
    ),
    Mutant(
        "a set-back meter is sent old bytes",
        "meterctl/operations/resolution.py",
        "    if asked.meter.credit_sequence < entry.sequence - 1:\n",
        "    if asked.meter.credit_sequence < 0:\n",
        (ONCE,),
    ),
    Mutant(
        "bytes of the former format are sent again",
        "meterctl/operations/resolution.py",
        "    may_send = not entry.is_former and session",
        "    may_send = session",
        (JOURNAL,),
    ),
    Mutant(
        "bytes under a retired version are sent again",
        "meterctl/operations/resolution.py",
        "    may_send = not entry.is_former and session.ring.may_use("
        "entry.key_version, journal.proofs.floor(entry.meter))\n",
        "    may_send = not entry.is_former\n",
        (KEY_VERSIONS,),
    ),
    Mutant(
        "another meter after the bytes were sent is exit code 6",
        "meterctl/operations/entry_results.py",
        "    faults: tuple[type[MeterctlError], ...] = (*NOTHING_LEARNT, NotPermittedError),\n",
        "    faults: tuple[type[MeterctlError], ...] = NOTHING_LEARNT,\n",
        (AFTER_DELIVERY,),
    ),
    Mutant(
        "a journal that cannot be written after the bytes were sent is exit code 2",
        "meterctl/operations/entry_results.py",
        "NOTHING_LEARNT = (NoAnswerError, CorruptAnswerError, UsageError)\n",
        "NOTHING_LEARNT = (NoAnswerError, CorruptAnswerError)\n",
        (AFTER_DELIVERY,),
    ),
    Mutant(
        "the key of a sale that a person closed is accepted",
        "meterctl/operations/credit.py",
        "    if known.is_open or known.is_closed_by_hand:\n",
        "    if known.is_open:\n",
        (CLOSED_BY_HAND,),
    ),
    Mutant(
        "a command that its meter executed is reported as refused",
        "meterctl/operations/command.py",
        "    if reached and not taken_by_another:\n",
        "    if reached is None:\n",
        (AFTER_DELIVERY,),
    ),
    Mutant(
        "a card sale is written though its sequence was ended meanwhile",
        "meterctl/journal/journal.py",
        "        if entry.sequence <= self.last_sequence(entry.meter, entry.epoch):\n",
        "        if entry.sequence < 0:\n",
        (CARD_SALES,),
    ),
    Mutant(
        "a write-back under a passed key version blocks a sale",
        "meterctl/operations/card/presented.py",
        "        if slot is None or (journal is not None and self._is_passed(slot, journal)):\n",
        "        if slot is None:\n",
        (WRITE_BACKS,),
    ),
    Mutant(
        "a voided opening is not reported",
        "meterctl/operations/entry_results.py",
        "    if entry.opens_any_epoch:\n        journal.notices",
        "    if entry.epoch is None:\n        journal.notices",
        (OPENINGS,),
    ),
    Mutant(
        "an entry closed by hand cannot be proved later",
        "meterctl/journal/states.py",
        "        (BY_HAND_STATES, CONFIRMING, LedgerState.CONFIRMED),\n",
        "",
        (CLOSED_BY_HAND, ONCE),
    ),
    Mutant(
        "an account that refuses is sold to",
        _SEALING,
        "    if wanted is not None and meter.account_state is not wanted:\n",
        "    if wanted is not None and meter.account_state is None:\n",
        (CARD_SALES, CARDS),
    ),
    # ---- cards
    Mutant(
        "sold before the journal holds the entry",
        "meterctl/operations/card/sold.py",
        "    with handing_over(case, unchanged):\n        if binds:",
        "    from meterctl.journal import EntryEvent\n"
        "    case.journal.settle(entry, EntryEvent.RECEIPT_OF_VOID, case.now())\n"
        "    with handing_over(case, unchanged):\n        if binds:",
        (CARDS,),
    ),
    Mutant(
        "a sale on a card sent by resolve",
        "meterctl/operations/resolution.py",
        "    if entry.state is EntryState.ON_CARD:\n        raise NotPermittedError(\n",
        "    if entry.state is None:\n        raise NotPermittedError(\n",
        (CARDS,),
    ),
    Mutant(
        "a daily limit that is not enforced",
        "meterctl/journal/limits.py",
        "        if sold + amount > limit.amount:\n",
        "        if sold + amount > limit.amount and not sold:\n",
        (CARDS,),
    ),
    Mutant(
        "another journal's credit overwritten",
        "meterctl/operations/card/sales.py",
        "    require_known(case)\n    meter = case.ask(",
        "    meter = case.ask(",
        (CARDS,),
    ),
    Mutant(
        "a write-back under a passed key version is accepted",
        "meterctl/operations/card/comparison.py",
        "    if not case.ring.may_use(back.key_version, floor):\n",
        "    if floor < 0:\n",
        (CARDS,),
    ),
)
