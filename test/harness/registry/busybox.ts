/** A small image that runs: Debian's busybox-static with its applets, users and a /tmp. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { type Files, type ImageOptions, makeImage, type TestImage } from './image.ts'

const program = '/bin/busybox'

/** Its Cmd is `sh`; other options as for any image. `layers` come on top. */
export async function busyboxImage(options: Partial<ImageOptions> = {}): Promise<TestImage> {
  return await makeImage({
    ...options,
    layers: [busyboxFiles(), ...(options.layers ?? [])],
    config: {
      Cmd: ['sh'],
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      ...options.config,
    },
  })
}

export function busyboxFiles(): Files {
  const applets = execFileSync(program, ['--list'], { encoding: 'utf8' }).split('\n')
  const directory = (mode = 0o755): Files[string] => ({ type: 'directory', mode })
  return {
    bin: directory(),
    dev: directory(),
    etc: directory(),
    proc: directory(),
    root: directory(0o700),
    sys: directory(),
    tmp: directory(0o1777),
    usr: directory(),
    'usr/bin': directory(),
    var: directory(),
    'bin/busybox': { data: readFileSync(program), mode: 0o755 },
    ...Object.fromEntries(
      applets
        .filter((name) => /^[\w[.+-]+$/.test(name) && name !== 'busybox')
        .map((name) => [`bin/${name}`, { type: 'symlink' as const, to: 'busybox' }]),
    ),
    'etc/passwd':
      'root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\nwww-data:x:33:33:www-data:/var/www:/bin/false\nnobody:x:65534:65534:nobody:/:/bin/false\n',
    'etc/group': 'root:x:0:\ndaemon:x:1:\nwww-data:x:33:\nusers:x:100:nobody\nnogroup:x:65534:\n',
  }
}
