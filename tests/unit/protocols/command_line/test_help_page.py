"""Help pages as text: rows beside their names where there is room, below them where not."""

from __future__ import annotations

from protocols.command_line.help_page import HelpPage, Row, Section, text_of

PAGE = HelpPage(
    "prog take",
    "prog take [OPTIONS] AMOUNT",
    ("Take an amount that is given.",),
    (
        Section("Examples", (Row("prog take 5", "Take five."),)),
        Section(
            "Options",
            (
                Row("--file FILE", "The file from which everything is taken that is wanted."),
                Row("--a-very-long-name VALUE-OF-IT-TOO", "A long name."),
                Row("--x", ""),
            ),
            "and the options of prog -h",
        ),
    ),
)


def test_text_stands_beside_the_names_on_a_wide_screen() -> None:
    assert text_of(PAGE, 60).splitlines() == [
        "Usage: prog take [OPTIONS] AMOUNT",
        "",
        "Take an amount that is given.",
        "",
        "Examples:",
        "  prog take 5",
        "      Take five.",
        "",
        "Options:",
        "  --file FILE  The file from which everything is taken that",
        "               is wanted.",
        "  --a-very-long-name VALUE-OF-IT-TOO",
        "               A long name.",
        "  --x",
        "  and the options of prog -h",
    ]


def test_text_stands_below_the_names_on_a_narrow_screen() -> None:
    assert text_of(PAGE, 30).splitlines()[9:15] == [
        "Options:",
        "  --file FILE",
        "      The file from which",
        "      everything is taken that",
        "      is wanted.",
        "  --a-very-long-name",
    ]


def test_a_style_takes_no_room() -> None:
    styled = text_of(PAGE, 60, lambda text: f"<b>{text}</b>", lambda text: f"<i>{text}</i>")
    assert "<b>Options:</b>" in styled
    assert "  <i>--file FILE</i>  The file from which everything is taken that\n" in styled
