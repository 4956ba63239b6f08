import { describe, expect, it } from 'vitest'
import { type LaunchOptions, shimArguments, shimCommand } from '../../../../daemon/shim/launch.ts'

const least: LaunchOptions = {
  program: '/usr/lib/kago-shim',
  bundle: '/run/b',
  pidFile: '/run/b/pid',
  exitFile: '/run/b/exit',
  runtime: ['runc', 'run', 'x'],
}

describe('the command of a shim', () => {
  it('is what a person would type', () => {
    expect(shimCommand(least).join(' ')).toBe(
      '/usr/lib/kago-shim --bundle /run/b --pid-file pid --exit-file exit -- runc run x',
    )
  })

  it('has every option that was given', () => {
    const all = shimArguments({
      ...least,
      mounts: [
        {
          type: 'overlay',
          source: 'overlay',
          target: 'rootfs',
          options: ['lowerdir=a:b', 'ro'],
          from: '/layers',
        },
        { type: 'bind', source: '/x', target: 'rootfs/x', options: [] },
      ],
      hostMounts: true,
      log: { directory: '/var/log/c', maxBytes: 5, maxFiles: 2 },
      stdin: true,
      terminal: 'console-socket',
      consoleSocket: '/run/b/console.sock',
      size: { columns: 80, rows: 24 },
      socket: '/run/b/shim.sock',
      attach: { output: true, stdin: false },
      oomScoreAdj: -999,
    })
    expect(all.join(' ')).toBe(
      '--bundle /run/b --mount-from /layers --mount overlay overlay rootfs lowerdir=a:b,ro ' +
        '--mount bind /x rootfs/x  --host-mounts --log /var/log/c --log-max-bytes 5 --log-max-files 2 --stdin ' +
        '--terminal console-socket --size 80x24 --pid-file pid --console-socket console.sock --exit-file exit ' +
        '--socket shim.sock --oom-score-adj -999 --events-fd 3 --attach-fd 4 --attach-flags 1 -- runc run x',
    )
  })

  it('names paths outside the bundle in full', () => {
    expect(shimCommand({ ...least, exitFile: '/run/bother/exit' })).toContain('/run/bother/exit')
  })

  it('cannot mount from two directories', () => {
    const mount = { type: 'bind', source: 'x', target: 'y', options: [] }
    const mounts = [
      { ...mount, from: '/a' },
      { ...mount, from: '/b' },
    ]
    expect(() => shimCommand({ ...least, mounts })).toThrow(/several directories/)
  })
})
