import { describe, expect, it } from 'vitest'
import { inColour, usesColour } from '../../../../cli/terminal/colour.ts'

describe('colour', () => {
  const terminal = { isTTY: true }

  it('is for terminals, unless nobody wants it', () => {
    expect(usesColour(terminal, { TERM: 'xterm' })).toBe(true)
    expect(usesColour({}, { TERM: 'xterm' })).toBe(false)
    expect(usesColour(terminal, { TERM: 'dumb' })).toBe(false)
    expect(usesColour(terminal, { NO_COLOR: '1' })).toBe(false)
    expect(usesColour(terminal, { NO_COLOR: '' })).toBe(true)
  })

  it('ends with the text, and begins again when there are no more', () => {
    expect(inColour('a', 0)).toBe('\u001b[36ma\u001b[0m')
    expect(inColour('a', 10)).toBe(inColour('a', 0))
    expect(inColour('a', 1)).not.toBe(inColour('a', 0))
  })
})
