"""Mutants of tariffs: what is compared, checked, sent and read back."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

SETTING = "tests/unit/meterctl/operations/tariff/test_setting.py"
RESULTING = "tests/unit/meterctl/operations/tariff/test_resulting_sets.py"
DIFFERENCES = "tests/unit/meterctl/operations/tariff/test_differences.py"
SETS = "tests/unit/meterctl/operations/tariff/test_sets.py"
FILE = "tests/unit/meterctl/operations/tariff/test_file.py"
PROPERTY = "tests/property/test_tariffs.py"
_SETTING = "meterctl/operations/tariff/setting.py"
_SETS = "meterctl/operations/tariff/sets.py"
_FILE = "meterctl/operations/tariff/file.py"

TARIFF_MUTANTS = (
    Mutant(
        "a tariff that is read back is not compared",
        _SETTING,
        "    if wrong:\n        raise not_as_asked(",
        "    if wrong and not found:\n        raise not_as_asked(",
        (SETTING,),
    ),
    Mutant(
        "a tariff read back after a refusal is not compared",
        _SETTING,
        "    moved = changed_parts(planned.before, after)\n",
        "    moved = changed_parts(after, after)\n",
        (SETTING,),
    ),
    Mutant(
        "the sets that follow from a tariff are not checked",
        _SETTING,
        "    told = refusals(before, asked, command.meter.account_unit)\n",
        "    told = refusals(before, (), command.meter.account_unit)\n",
        (SETTING,),
    ),
    Mutant(
        "a pending part stands beside the one that replaces it",
        "meterctl/operations/tariff/resulting_sets.py",
        "{**sets.pending, **{PART_NAMES[type(part)]: (at, part) for at, part in sent}}\n",
        "{**{PART_NAMES[type(part)]: (at, part) for at, part in sent}, **sets.pending}\n",
        (RESULTING, SETTING, PROPERTY),
    ),
    Mutant(
        "a pending part is no difference",
        "meterctl/operations/tariff/differences.py",
        "        return not self.values and self.replaces is None\n",
        "        return not self.values\n",
        (DIFFERENCES,),
    ),
    Mutant(
        "a repeated local time is its second",
        _SETS,
        "sorted({moment.ms - minutes * MINUTE for _, minutes in offsets.changes})\n",
        "sorted({moment.ms - minutes * MINUTE for _, minutes in offsets.changes})[::-1]\n",
        (SETS,),
    ),
    Mutant(
        "the whole tariff is sent for a part of it",
        _FILE,
        "        if values.keys() & keys\n",
        "        if values.keys() & keys or values\n",
        (FILE,),
    ),
    Mutant(
        "--activate does not go over the file",
        _FILE,
        "(self.activations[name] if activation is None else activation, part)\n",
        "(self.activations[name] or activation or 0, part)\n",
        (FILE,),
    ),
)
