"""Text of others in the places where it could do something."""

import pytest

from common.text import printable_lines, spreadsheet_cell
from reports.render.markdown import escape_markdown


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_formula_is_text(text):
    assert spreadsheet_cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["rul", "", "a=1", 3, -1.5, None, True])
def test_everything_else_stays_as_it_is(value):
    assert spreadsheet_cell(value) is value


@pytest.mark.parametrize(
    "text", ["[a](https://example.org)", "![a](b.png)", "<img src=x>", "a\rb", "a\nb", "`x`", "a|b"]
)
def test_markdown_shows_what_it_is_given(text):
    shown = escape_markdown(text)
    assert not set("\r\n<") & set(shown)
    assert all(shown[place - 1] == "\\" for place, char in enumerate(shown) if char in "[]`|")


@pytest.mark.parametrize("text", [r"\[click\](http://evil.example)", r"a\|b", r"\`x\`", "\\", r"C:\*x*"])
def test_a_backslash_in_text_of_others_undoes_no_escape(text):
    """Read as Markdown reads it, character by character: what is left is the text, every mark of it escaped."""
    shown, read = iter(escape_markdown(text)), ""
    for char in shown:
        assert char not in "|[]`*_"
        read += next(shown) if char == "\\" else char
    assert read == text


def test_lines_stay_and_what_moves_a_cursor_does_not():
    assert printable_lines("a\x1b[2J\n  b\udcff") == "a\\x1b[2J\n  b\\udcff"
