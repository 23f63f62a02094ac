"""Writes pieces into a QTextDocument through a cursor: no HTML is ever parsed, so none can be smuggled in."""

from PySide6.QtCore import Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextFormat,
    QTextFrameFormat,
    QTextTableFormat,
)

from app.gui.markdown.pieces import Paragraph, Rule, Run, Table
from app.gui.theme import CODE_PX, code_font, current_theme

LINE_HEIGHT_PERCENT = 145
HEADING_PX = {1: 20, 2: 18, 3: 16}
QUOTE_LEVEL = QTextFormat.Property.UserProperty.value + 1
MARKER = QTextFormat.Property.UserProperty.value + 2
RULE = QTextFormat.Property.UserProperty.value + 3
"""Properties of a block that TextView paints: its quote's depth, its list marker, whether it is a line."""

QUOTE_STEP_PX = 16
GAP_PX = 10
TIGHT_GAP_PX = 3
INDENT_PX = 24


def write_paragraph(cursor: QTextCursor, paragraph: Paragraph, first: bool) -> None:
    """Append a paragraph at the cursor; `first` when the document is empty."""
    block = QTextBlockFormat()
    block.setLineHeight(LINE_HEIGHT_PERCENT, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
    block.setTopMargin(0 if first else _top_margin(paragraph))
    block.setLeftMargin(QUOTE_STEP_PX * paragraph.quote + INDENT_PX * paragraph.indent)
    if paragraph.quote:
        block.setProperty(QUOTE_LEVEL, paragraph.quote)
    if paragraph.marker:
        block.setProperty(MARKER, paragraph.marker)
    _start_block(cursor, block, first)
    _write_runs(cursor, paragraph)


def write_rule(cursor: QTextCursor, _: Rule, first: bool) -> None:
    """Append a horizontal line."""
    block = QTextBlockFormat()
    block.setTopMargin(GAP_PX)
    block.setProperty(RULE, True)
    _start_block(cursor, block, first)
    cursor.insertText("\u00a0")  # a block without text would be taken for an empty document


def write_table(cursor: QTextCursor, table: Table) -> None:
    """Write a table into a document that holds nothing else."""
    columns = max(len(row) for row in table.rows)
    grid = cursor.insertTable(len(table.rows), columns, _table_format())
    for row_index, row in enumerate(table.rows):
        for column, runs in enumerate(row):
            cell = grid.cellAt(row_index, column).firstCursorPosition()
            block = QTextBlockFormat()
            block.setAlignment(_alignment(table.alignments[column] if column < len(table.alignments) else "left"))
            cell.setBlockFormat(block)
            for run in runs:
                cell.insertText(_soft(run.text), _character_format(run, bold=row_index == 0))


def _start_block(cursor: QTextCursor, block: QTextBlockFormat, first: bool) -> None:
    if first:
        cursor.setBlockFormat(block)
    else:
        cursor.insertBlock(block, QTextCharFormat())


def _top_margin(paragraph: Paragraph) -> int:
    if paragraph.heading:
        return GAP_PX + 8
    if paragraph.tight or (paragraph.indent and paragraph.marker):
        return TIGHT_GAP_PX
    return GAP_PX


def _write_runs(cursor: QTextCursor, paragraph: Paragraph) -> None:
    for run in paragraph.runs:
        form = _character_format(run, bold=paragraph.heading > 0)
        if paragraph.heading and not run.code:
            font = form.font()
            font.setPixelSize(HEADING_PX.get(paragraph.heading, 14))
            form.setFont(font, QTextCharFormat.FontPropertiesInheritanceBehavior.FontPropertiesSpecifiedOnly)
        if paragraph.quote and not run.link:
            form.setForeground(QColor(current_theme().muted))
        cursor.insertText(_soft(run.text), form)


def _soft(text: str) -> str:
    return text.replace("\n", "\u2028")


def _character_format(run: Run, bold: bool = False) -> QTextCharFormat:
    form = QTextCharFormat()
    theme = current_theme()
    if run.code:
        form.setFontFamilies(code_font().families())
        form.setProperty(QTextFormat.Property.FontPixelSize, CODE_PX)
        form.setBackground(QColor(theme.raised))
    if run.bold or bold:
        form.setFontWeight(QFont.Weight.DemiBold)
    form.setFontItalic(run.italic)
    form.setFontStrikeOut(run.strike)
    if run.link:
        form.setAnchor(True)
        form.setAnchorHref(run.link)
        form.setToolTip(run.link)
        form.setForeground(QColor(theme.accent))
        form.setFontUnderline(True)
    return form


def _table_format() -> QTextTableFormat:
    form = QTextTableFormat()
    form.setCellPadding(6)
    form.setCellSpacing(0)
    form.setBorder(1)
    form.setBorderCollapse(True)
    form.setBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_Solid)
    form.setBorderBrush(QColor(current_theme().border))
    form.setHeaderRowCount(1)
    return form


def _alignment(name: str) -> Qt.AlignmentFlag:
    return {"center": Qt.AlignmentFlag.AlignHCenter, "right": Qt.AlignmentFlag.AlignRight}.get(
        name, Qt.AlignmentFlag.AlignLeft
    )
