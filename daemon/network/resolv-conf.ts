/** resolv.conf(5): read with its defaults, and written. Pure. */

export interface ResolvConf {
  nameServers: readonly string[]
  search: readonly string[]
  options: readonly string[]
}

/** The last `search` or `domain` counts; what is not known is left out. */
export function parseResolvConf(text: string): ResolvConf {
  const nameServers: string[] = []
  const options: string[] = []
  let search: string[] = []
  for (const line of text.split('\n')) {
    const [key, ...words] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/)
    if (key === 'nameserver' && words[0] !== undefined) nameServers.push(words[0])
    if (key === 'search') search = words
    if (key === 'domain') search = words.slice(0, 1)
    if (key === 'options') options.push(...words)
  }
  return { nameServers, search, options }
}

export function renderResolvConf({ nameServers, search, options }: ResolvConf): string {
  return [
    ...nameServers.map((server) => `nameserver ${server}\n`),
    ...(search.length > 0 ? [`search ${search.join(' ')}\n`] : []),
    ...(options.length > 0 ? [`options ${options.join(' ')}\n`] : []),
  ].join('')
}
