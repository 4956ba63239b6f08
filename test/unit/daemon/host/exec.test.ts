/** Host tools: what comes back, and what is said when one is missing, fails, hangs or floods. */
import { describe, expect, test } from 'vitest'
import { runQuickTool, runTool } from '../../../../daemon/host/exec.ts'
import { isKagoError } from '../../../../shared/errors.ts'

describe.each([
  ['runTool', runTool],
  ['runQuickTool', runQuickTool],
])('%s', (_, run) => {
  test('gives output, input and the allowed status', async () => {
    const result = await run('sh', ['-c', 'cat; echo err >&2; exit 3'], { input: 'in', allow: [3] })
    expect(result).toEqual({ stdout: 'in', stderr: 'err\n', status: 3 })
  })

  test('passes arguments as they are, through no shell', async () => {
    const hostile = ['$(id)', '; touch /tmp/x', "'", 'a\nb', '']
    expect((await run('printf', ['<%s>', ...hostile])).stdout).toBe(
      hostile.map((word) => `<${word}>`).join(''),
    )
  })

  test('gives the tool a small environment of its own', async () => {
    const names = (await run('env', [], { env: { EXTRA: '1' } })).stdout
      .split('\n')
      .map((line) => line.split('=')[0])
    expect(new Set(names)).toEqual(new Set(['', 'EXTRA', 'LC_ALL', 'PATH']))
  })

  test('names the tool, the arguments and the last line when it fails', async () => {
    const error: unknown = await run('sh', ['-c', 'echo first >&2; echo no such thing >&2; exit 2']).catch(
      (thrown: unknown) => thrown,
    )
    expect(error).toMatchObject({
      code: 'internal',
      message: 'sh failed (exit status 2): no such thing',
      details: { status: 2 },
    })
  })

  test('says which package has a tool that is missing', async () => {
    const error: unknown = await run('/nonexistent/nft', []).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'not_supported', hint: 'install it with: apt install nftables' })
  })

  test('ends a tool that takes too long, and one that is cancelled', async () => {
    await expect(run('sleep', ['60'], { timeoutMs: 50 })).rejects.toMatchObject({ code: 'timed_out' })
    const controller = new AbortController()
    const cancelled = run('sleep', ['60'], { signal: controller.signal })
    controller.abort()
    await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' })
    await expect(run('true', [], { signal: controller.signal })).rejects.toMatchObject({ code: 'cancelled' })
  })

  test('ends a tool that prints without end', async () => {
    await expect(run('yes', [])).rejects.toSatisfy((error) => isKagoError(error, 'exhausted'))
  })

  test('does not mind a tool that leaves its input unread', async () => {
    await expect(run('true', [], { input: 'x'.repeat(1_000_000) })).resolves.toMatchObject({ status: 0 })
  })
})
