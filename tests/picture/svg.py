#!/usr/bin/env python3
"""A screen of a terminal (`tmux capture-pane -e -p` on standard input) as an SVG on standard output."""

import re
import sys
from xml.sax.saxutils import escape

WIDTH, HEIGHT, MARGIN = 8.0, 18, 14
COLOURS = {
    30: "#5c6370", 31: "#e06c75", 32: "#98c379", 33: "#e5c07b", 34: "#61afef", 35: "#c678dd", 36: "#56b6c2",
    37: "#dcdfe4", 90: "#7f848e", 91: "#e06c75", 92: "#98c379", 93: "#e5c07b", 94: "#61afef", 95: "#c678dd",
    96: "#56b6c2", 97: "#ffffff",
}
PLAIN = "#dcdfe4"


def styled(style, codes):
    colour, weight, dim = style
    for code in (int(code or 0) for code in codes.split(";")):
        if code == 0:
            colour, weight, dim = PLAIN, "normal", False
        elif code == 1:
            weight = "bold"
        elif code == 2:
            dim = True
        elif code == 22:
            weight, dim = "normal", False
        elif code == 39:
            colour = PLAIN
        elif code in COLOURS:
            colour = COLOURS[code]
    return colour, weight, dim


def spans(line, style):
    column, found = 0, []
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        if part.startswith("\x1b["):
            style = styled(style, part[2:-1])
        elif part:
            if part.strip():
                found.append((column, part, style))
            column += len(part)
    return found, style


def main():
    lines = sys.stdin.read().rstrip("\n").split("\n")
    bare = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
    width = max(len(line) for line in bare) * WIDTH + 2 * MARGIN
    height = len(lines) * HEIGHT + 2 * MARGIN
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}">')
    print(f'<rect width="100%" height="100%" rx="6" fill="#21252b"/>')
    print('<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="13.3">')
    style = (PLAIN, "normal", False)
    for row, line in enumerate(lines):
        found, style = spans(line, style)
        y = MARGIN + row * HEIGHT + 13
        for column, text, (colour, weight, dim) in found:
            x = MARGIN + column * WIDTH
            more = (' font-weight="bold"' if weight == "bold" else "") + (' opacity=".65"' if dim else "")
            length = len(text) * WIDTH
            print(
                f'<text x="{x:.0f}" y="{y}" fill="{colour}" textLength="{length:.0f}" '
                f'xml:space="preserve"{more}>{escape(text)}</text>'
            )
    print("</g>\n</svg>")


if __name__ == "__main__":
    main()
