"""The words of register lists in several languages: quantities, phases, directions and sums.

Latin words are in lower case and have no accents.
"""

from __future__ import annotations


def _pair(first: str, second: str) -> str:
    """Return the pattern of two phases: L1-L2, "phase A to phase B", ab."""
    between = r"(?: (?:to|and|und) | ?[-/–] ?|[ _])?"
    return f"(?:phase |line )?{first}{between}(?:phase |line )?{second}"


FIRST_PARTS: tuple[tuple[str, str], ...] = (
    (r"(?:au(?:ß|ss)en)?leiter(?=-?spannung)|verkettete", "between"),
    (r"(?:phasen|strang|stern|netz|momentan|leiter)-?(?=spannung|strom|\w*leistung)", ""),
    (r"(?:neutral|null)-?leiter-?(?=strom)", "neutral"),
    (r"gesamt(?:e[rs]?\b|(?=\w))", "total"),
)
"""First parts of German words that are written together: what is written -> its marks."""
WORDS: tuple[tuple[str, str], ...] = (
    # what is no part of the meaning
    (r"since last reset|l(?:ine)?[- /]?(?:to )?n(?:eutral)?(?= volt|$)", ""),
    (r"frequency of (?:the )?supply(?: voltages?)?", "frequency"),
    (r"instantaneous|inst|rms|present|actual|measured|measurement|reading|value|register", ""),
    (r"of|the|in|at|ac|grid|mains|supply|meter|electric(?:al)?|data|counter", ""),
    (r"de[rs]|die|das|netz(?:es)?|aktuelle?[rs]?|momentan(?:e[rs]?)?|messwert|wert", ""),
    (r"za?e?hlerst[aä]e?nd(?:e|es)?|za?e?hlers?", ""),
    (r"de|da|do|del|la|le|du|instantanee?", ""),
    (r"瞬时|当前|电网|数据|值|电表|计量", ""),
    # phases
    (_pair("(?:l ?1|1|a)", "(?:l ?2|2|b)"), "l12"),
    (_pair("(?:l ?2|2|b)", "(?:l ?3|3|c)"), "l23"),
    (_pair("(?:l ?3|3|c)", "(?:l ?1|1|a)"), "l31"),
    (r"[vu]_?ab|v12|u12", "voltage l12"),
    (r"[vu]_?bc|v23|u23", "voltage l23"),
    (r"[vu]_?ca|v31|u31", "voltage l31"),
    (r"ab ?(?:相间|线)", "l12"),
    (r"bc ?(?:相间|线)", "l23"),
    (r"ca ?(?:相间|线)", "l31"),
    (r"between|zwischen|line[- ]to[- ]line|phase[- ]to[- ]phase|l[- ]?l|线(?=电压)", "between"),
    (r"(?:phase|line|ph|l)[ _-]?(?:l?1|a)(?:[ -]?n)?|a(?= phase|$)|a ?相|l1-n|phase r", "l1"),
    (r"(?:phase|line|ph|l)[ _-]?(?:l?2|b)(?:[ -]?n)?|b(?= phase|$)|b ?相|l2-n|phase s", "l2"),
    (r"(?:phase|line|ph|l)[ _-]?(?:l?3|c)(?:[ -]?n)?|c(?= phase|$)|c ?相|l3-n|phase t", "l3"),
    *(
        (rf"(?:fase|linha|linea|ligne)[ _-]?(?:l?{n}|{letter})", f"l{n}")
        for n, letter in enumerate("abc", 1)
    ),
    (r"(?:neutral|null)leiter|neutral|n(?= current|$)|neutro|neutre|零线|中性线", "neutral"),
    (r"phase|line", ""),
    # letters of quantities
    (r"[uv]_?(?:a|an|1|l1)", "voltage l1"),
    (r"[uv]_?(?:b|bn|2|l2)", "voltage l2"),
    (r"[uv]_?(?:c|cn|3|l3)", "voltage l3"),
    (r"i_?(?:a|1|l1)", "current l1"),
    (r"i_?(?:b|2|l2)", "current l2"),
    (r"i_?(?:c|3|l3)", "current l3"),
    (r"i_?n|in", "current neutral"),
    *((rf"pf_?(?:{letter}|{n}|l{n})", f"power_factor l{n}") for n, letter in enumerate("abc", 1)),
    *((rf"p_?(?:{letter}|{n}|l{n})", f"active_power l{n}") for n, letter in enumerate("abc", 1)),
    *((rf"q_?(?:{letter}|{n}|l{n})", f"reactive_power l{n}") for n, letter in enumerate("abc", 1)),
    *((rf"s_?(?:{letter}|{n}|l{n})", f"apparent_power l{n}") for n, letter in enumerate("abc", 1)),
    # quantities, the longer ones first
    (r"fator de potencia|factor de potencia|facteur de puissance", "power_factor"),
    (r"energia re(?:at|act)iva|energie reactive", "reactive_energy"),
    (r"energia ac?tiva|energie active", "active_energy"),
    (r"potencia aparente|puissance apparente", "apparent_power"),
    (r"potencia re(?:at|act)iva|puissance reactive", "reactive_power"),
    (r"potencia ac?tiva|puissance active", "active_power"),
    (r"tensao|tension", "voltage"),
    (r"corrente|corriente|courant", "current"),
    (r"frequencia|frecuencia|frequence", "frequency"),
    (r"power factors?|pf|cos ?(?:phi|φ)?|leistungsfaktor|功率因数|功率因素", "power_factor"),
    (r"phase angles?|power angle|angle|phi|phasenwinkel|相角", "phase_angle"),
    (r"apparent energy|kvah|vah|schein(?:energie|arbeit)|视在电[能度量]", "apparent_energy"),
    (
        r"react(?:ive)? energy|kvarh|varh|blind(?:energie|arbeit)|无功(?:总)?电[能度量]",
        "reactive_energy",
    ),
    (
        r"(?:active|act|real) energy|kwh|wh|wirk(?:energie|arbeit)|有功(?:总)?电[能度量]",
        "active_energy",
    ),
    (
        r"react(?:ive)? power|volt[- ]?amps? reactive|k?vars?|blindleistung|无功功率",
        "reactive_power",
    ),
    (r"apparent power|volt[- ]?amps?|k?va|scheinleistung|视在功率", "apparent_power"),
    (r"(?:active|act|real) power|k?watts?|kw|wirkleistung|有功功率", "active_power"),
    (r"有功", "active_power"),
    (r"无功", "reactive_power"),
    (r"energy|electricity|energie|电能|电度|电量", "energy"),
    (r"power|leistung|功率", "power"),
    (r"voltages?|volts?|spannung|电压", "voltage"),
    (r"currents?|amps?|amperage|strom(?:starke)?|strome|电流", "current"),
    (r"frequency|(?:netz)?frequenz|freq|hz|频率", "frequency"),
    (r"demand|需量", "demand"),
    # directions and sums
    (
        r"imported|import|imp|forward|positive|consumed|consumption|"
        r"positiva|bezug|bezogene?[rs]?|verbrauch|正向",
        "import",
    ),
    (
        r"exported|export|exp|reverse|negative|feed[- ]?in|negativa|lieferung|gelieferte?[rs]?|"
        r"einspeisung|eingespeiste?[rs]?|abgabe|反向",
        "export",
    ),
    (r"maximum|maximale?[rs]?|max|peak|最大", "maximum"),
    (r"average|avg|mean|mittel(?:wert)?|mittlere?[rs]?|durchschnitt|平均", "mean"),
    (r"total|system|sys|combined|overall|all phases|trifasic[ao]|triphasee?", "total"),
    (r"gesamt|summe|总|合计|组合|合相", "total"),
    (r"sum", "sum"),
    *((rf"(?:t|tariff?|rate) ?{n}", f"rate{n}") for n in (1, 2, 3, 4)),
    *((rf"{letter}(?:时段|电[能度量])?", f"rate{n}") for n, letter in enumerate("尖峰平谷", 1)),
)
"""What is written -> the marks that it adds; the first that fits counts."""
OTHER_NAMES = {
    "available_credit": "balance|remaining credit|available credit|remaining amount|guthaben|"
    "restguthaben|剩余金额",
    "overdraft": "overdraft|overdraft amount|透支金额",
    "purchase_count": "purchase count|purchases|number of purchases|购电次数",
    "cumulative_purchased": "total purchase amount|cumulative purchases|累计购电金额",
    "serial_number": "serial number|serial no|meter serial number|seriennummer|serien-nr.|"
    "seriennr.|serien-nr|zahlernummer|zaehlernummer|zahler-nr.|zahlernr.|表号|电表号",
    "customer_number": "customer number|customer no|kundennummer|客户编号|用户号",
    "supply_state": "relay state|relay status|继电器状态",
    "current_price": "price|present price|当前电价|电价",
    "debt": "debt",
}
"""Item -> other names of what is no measured quantity, in lower case."""
