/** Sets lines of tab-separated cells in columns, as Docker does: at least 10 wide, 3 spaces between. Pure. */

const minWidth = 10
const gap = 3

export function alignColumns(lines: readonly string[]): string {
  const rows = lines.map((line) => line.split('\t'))
  const widths: number[] = []
  for (const row of rows) {
    row.slice(0, -1).forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? minWidth, widthOf(cell) + gap)
    })
  }
  return rows
    .map((row) => `${row.map((cell, column) => padded(cell, column, row, widths)).join('')}\n`)
    .join('')
}

function padded(cell: string, column: number, row: readonly string[], widths: readonly number[]): string {
  if (column === row.length - 1) return cell
  return cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - widthOf(cell)))
}

/** In characters: not exact for scripts whose characters are wide, but never too little for those that are not. */
function widthOf(text: string): number {
  return Array.from(text).length
}
