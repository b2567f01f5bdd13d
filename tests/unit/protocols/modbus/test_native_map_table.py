"""The published native map: a host of another maker relies on every line (docs/register-map.md)."""

from __future__ import annotations

from protocols.modbus.native_map import NATIVE_MAP
from protocols.modbus.register_parts import Register
from protocols.modbus.value_packing import packer

PUBLISHED = """\
2 3 bcd 0 - serial_number
5 2 u32 0 - epoch
7 1 u16 0 - meter_type
8 1 u16 0 - account_unit
9 1 u16 0 - firmware_version
10 4 u64 0 - clock
14 1 s16 0 - utc_offset_minutes
15 4 u64 0 - elapsed_ms
19 2 u32 0 - status
21 2 u32 0 - event_number
32 1 u16 0 - supply_state
33 1 u16 0 - supply_causes
34 1 u16 0 - supply_commanded
35 1 u16 0 - supply_switch
36 1 u16 0 - low_credit_warning
37 1 u16 0 - trip_pending
38 4 u64 0 - trip_due
42 2 u32 2 - amount_to_reconnect
44 1 u16 0 - guarantee
45 2 u32 0 - moratorium_until
47 1 u16 0 - overload_count
64 2 s32 2 - available_credit
66 2 u32 2 - remaining_credit
68 2 u32 2 - overdraft
70 2 u32 2 - debt
72 4 s64 10 - available_credit_exact
76 1 u16 0 - account_state
77 3 bcd 0 - customer_number
80 2 u32 0 - purchase_count
82 2 u32 2 - cumulative_purchased
84 2 u32 0 - credit_sequence
86 2 u32 0 - command_sequence
88 1 u16 0 - key_version
89 2 u32 0 - key_check_value
91 4 u64 0 - card_serial
95 1 u16 0 - illegal_insertions
96 2 u32 2 - energy_import_kwh
98 2 u32 2 - energy_export_kwh
100 2 u32 2 - energy_rate_1_kwh
102 2 u32 2 - energy_rate_2_kwh
104 2 u32 2 - energy_rate_3_kwh
106 2 u32 2 - energy_rate_4_kwh
108 2 u32 2 - energy_month_kwh
110 2 u32 2 - energy_year_kwh
112 4 u64 6 - energy_import_kwh
116 4 u64 6 - energy_export_kwh
120 4 u64 6 - energy_rate_1_kwh
124 4 u64 6 - energy_rate_2_kwh
128 4 u64 6 - energy_rate_3_kwh
132 4 u64 6 - energy_rate_4_kwh
136 4 u64 6 - energy_month_kwh
140 4 u64 6 - energy_year_kwh
144 2 u32 3 - voltage_l1_v
146 2 u32 3 - voltage_l2_v
148 2 u32 3 - voltage_l3_v
150 2 s32 3 - current_l1_a
152 2 s32 3 - current_l2_a
154 2 s32 3 - current_l3_a
156 4 s64 6 - active_power_kw
160 4 s64 6 - active_power_l1_kw
164 4 s64 6 - active_power_l2_kw
168 4 s64 6 - active_power_l3_kw
172 4 s64 6 - reactive_power_kvar
176 4 s64 6 - apparent_power_kva
180 1 u16 4 - power_factor
181 1 u16 2 - frequency_hz
182 4 s64 6 - maximum_demand_kw
186 4 u64 0 - maximum_demand_at
192 4 s64 10 - opening_balance_exact
196 4 s64 10 - credited_exact
200 4 s64 10 - refunded_exact
204 4 s64 10 - settled_exact
208 4 s64 10 - consumption_charged_exact
212 4 s64 10 - standing_charged_exact
216 4 s64 10 - instalments_taken_exact
220 4 s64 10 - debt_entered_exact
224 4 s64 10 - debt_from_top_ups_exact
228 4 s64 10 - available_credit_exact
232 2 u32 2 off low_credit_threshold_1
234 2 u32 2 off low_credit_threshold_2
236 2 u32 2 - overdraft_limit
238 2 u32 2 off max_credit
240 2 u32 2 - reconnect_threshold
242 1 u16 0 - trip_mode
243 1 u16 0 - reconnect_mode
244 1 u16 0 - trip_delay_minutes
245 1 u16 0 - remote_trip_delay
246 4 u64 6 off power_limit_kw
250 2 u32 0 - power_limit_delay_s
252 2 u32 0 - overload_reconnect_s
254 1 u16 0 - overload_attempts
255 2 u32 0 - overload_reset_s
257 1 u16 0 - unopened_supply
258 1 u16 0 - tamper_trip
259 2 u32 2 - standing_charge
261 2 u32 2 - debt_instalment
263 1 u16 0 - debt_share_percent
264 4 u64 0 - friendly_hours
268 1 u16 0 - friendly_weekends
269 1 u16 0 - friendly_holidays
270 1 u16 0 - strict_suspension
271 1 u16 0 - phase_summation
272 1 u16 0 - reverse_charged
288 1 u16 0 - current_rate
289 1 u16 0 - current_step
290 2 u32 4 - current_price
292 2 u32 4 - price_1
294 2 u32 4 - price_2
296 2 u32 4 - price_3
298 2 u32 4 - price_4
300 4 u64 6 off step_limit_1_kwh
304 4 u64 6 off step_limit_2_kwh
308 4 u64 6 off step_limit_3_kwh
312 4 u64 6 off step_limit_4_kwh
316 4 u64 6 off step_limit_5_kwh
320 4 u64 6 off step_limit_6_kwh
324 2 u32 4 - step_addition_1
326 2 u32 4 - step_addition_2
328 2 u32 4 - step_addition_3
330 2 u32 4 - step_addition_4
332 2 u32 4 - step_addition_5
334 2 u32 4 - step_addition_6
336 2 u32 4 - step_addition_7
338 1 u16 0 - step_period
339 1 bcd 0 - billing_day
340 1 bcd 0 - billing_year
341 4 u64 0 - tariff_activation
352 2 u32 3 - voltage_l12_v
354 2 u32 3 - voltage_l23_v
356 2 u32 3 - voltage_l31_v
358 2 u32 3 - voltage_mean_v
360 2 u32 3 - voltage_line_mean_v
362 2 u32 3 - current_neutral_a
364 2 u32 3 - current_mean_a
366 2 u32 3 - current_sum_a
368 4 s64 6 - reactive_power_l1_kvar
372 4 s64 6 - reactive_power_l2_kvar
376 4 s64 6 - reactive_power_l3_kvar
380 4 s64 6 - apparent_power_l1_kva
384 4 s64 6 - apparent_power_l2_kva
388 4 s64 6 - apparent_power_l3_kva
392 1 u16 4 - power_factor_l1
393 1 u16 4 - power_factor_l2
394 1 u16 4 - power_factor_l3
395 1 s16 2 - phase_angle_l1_deg
396 1 s16 2 - phase_angle_l2_deg
397 1 s16 2 - phase_angle_l3_deg
398 1 s16 2 - phase_angle_deg
399 4 s64 6 - demand_kw
416 2 u32 2 - energy_total_kwh
418 2 u32 2 off energy_import_l1_kwh
420 2 u32 2 off energy_import_l2_kwh
422 2 u32 2 off energy_import_l3_kwh
424 2 u32 2 off energy_export_l1_kwh
426 2 u32 2 off energy_export_l2_kwh
428 2 u32 2 off energy_export_l3_kwh
430 2 u32 2 off energy_total_l1_kwh
432 2 u32 2 off energy_total_l2_kwh
434 2 u32 2 off energy_total_l3_kwh
436 2 u32 2 off energy_reactive_import_kvarh
438 2 u32 2 off energy_reactive_export_kvarh
440 2 u32 2 off energy_reactive_total_kvarh
442 2 u32 2 off energy_apparent_kvah
448 4 u64 6 - energy_total_kwh
452 4 u64 6 off energy_import_l1_kwh
456 4 u64 6 off energy_import_l2_kwh
460 4 u64 6 off energy_import_l3_kwh
464 4 u64 6 off energy_export_l1_kwh
468 4 u64 6 off energy_export_l2_kwh
472 4 u64 6 off energy_export_l3_kwh
476 4 u64 6 off energy_total_l1_kwh
480 4 u64 6 off energy_total_l2_kwh
484 4 u64 6 off energy_total_l3_kwh
488 4 u64 6 off energy_reactive_import_kvarh
492 4 u64 6 off energy_reactive_export_kvarh
496 4 u64 6 off energy_reactive_total_kvarh
500 4 u64 6 off energy_apparent_kvah
0 32 bits 0 - status
"""
"""Address, registers, type, decimals, whether "off" exists, item."""


def line(register: Register) -> str:
    """Return a register as a line of the published map."""
    layout = register.layout
    off = "-" if layout.off is None else "off"
    return (
        f"{register.address} {register.width} {layout.type.value} {layout.decimals} {off} "
        f"{register.item.name}"
    )


REGISTERS = [register for section in NATIVE_MAP.sections for register in section.registers]


def test_the_map_has_the_published_lines_and_no_others() -> None:
    assert [line(register) for register in REGISTERS] == PUBLISHED.splitlines()


def test_off_is_all_ones() -> None:
    for register in REGISTERS:
        if register.layout.off is not None:
            packed = packer(register.item.kind, register.layout)(None)
            assert packed == b"\xff\xff" * register.width
