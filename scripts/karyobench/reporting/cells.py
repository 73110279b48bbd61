"""Tables for people, as rows of text cells, the header first."""

Cells = list[list[str]]


def markdown_table(cells: Cells, alignment: str) -> str:
    """Cells (header first) as a table of Markdown. alignment: a letter per column, l, r or t (text, maybe long)."""
    header, *rows = [[cell.replace("|", "\\|") for cell in row] for row in cells]
    lines = [header, ["---:" if letter == "r" else "---" for letter in alignment], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
