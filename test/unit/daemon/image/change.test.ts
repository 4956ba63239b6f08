import { describe, expect, test } from 'vitest'
import { applyChanges } from '../../../../daemon/image/change.ts'
import { splitWords } from '../../../../daemon/image/change-words.ts'

describe('words', () => {
  test.each([
    ['a b', ['a', 'b']],
    ['a="b c" d\\ e', ['a=b c', 'd e']],
    [`'$A' "$A" \${A}x $`, ['$A', 'v', 'vx', '$']],
    ['""', ['']],
    ['  ', []],
  ])('%s', (text, words) => {
    expect(splitWords(text, new Map([['A', 'v']]))).toEqual(words)
  })
})

describe('changes', () => {
  test('each instruction does what a Dockerfile says', () => {
    const config = applyChanges({ Env: ['PATH=/bin', 'A=1'], WorkingDir: '/w', Labels: { old: 'x' } }, [
      'ENV A=2 B="x y" P=$PATH:/more',
      'env C some thing',
      'LABEL k=v',
      'EXPOSE 80 53/udp 8000-8001',
      'VOLUME ["/a", "/b"]',
      'VOLUME /c',
      'WORKDIR sub',
      'USER 1:2',
      'STOPSIGNAL SIGINT',
      'ONBUILD RUN x "y"',
      'HEALTHCHECK --interval=5s --retries=2 CMD curl  -f x',
      'CMD ["a", "b"]',
    ])
    expect(config).toEqual({
      Env: ['PATH=/bin', 'A=2', 'B=x y', 'P=/bin:/more', 'C=some thing'],
      Labels: { old: 'x', k: 'v' },
      ExposedPorts: { '80/tcp': {}, '53/udp': {}, '8000/tcp': {}, '8001/tcp': {} },
      Volumes: { '/a': {}, '/b': {}, '/c': {} },
      WorkingDir: '/w/sub',
      User: '1:2',
      StopSignal: 'SIGINT',
      OnBuild: ['RUN x "y"'],
      Healthcheck: { Interval: 5e9, Retries: 2, Test: ['CMD-SHELL', 'curl  -f x'] },
      Cmd: ['a', 'b'],
    })
  })

  test('an entrypoint takes the old command away, not one that was changed as well', () => {
    expect(applyChanges({ Cmd: ['old'] }, ['ENTRYPOINT ["e"]'])).toEqual({ Entrypoint: ['e'] })
    expect(applyChanges({ Cmd: ['old'] }, ['CMD new', 'ENTRYPOINT ["e"]'])).toEqual({
      Cmd: ['/bin/sh', '-c', 'new'],
      Entrypoint: ['e'],
    })
  })

  test.each([
    ['RUN x', 'no such change: "RUN x"'],
    ['', 'no such change: ""'],
    ['CMD', 'CMD needs something after it'],
    ['EXPOSE 70000', 'EXPOSE: not a port: 70000'],
    ['LABEL a', 'LABEL a: there is no value'],
    ['HEALTHCHECK --what=1 CMD x', 'HEALTHCHECK: not an option: --what=1'],
    ['__proto__ x', 'no such change: "__proto__ x"'],
  ])('%s is refused', (line, message) => {
    expect(() => applyChanges({}, [line])).toThrow(message)
  })
})
