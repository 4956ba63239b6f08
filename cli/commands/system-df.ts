/** `kago system df`: what everything takes on the disk. */
import { shortId } from '../../shared/id.ts'
import type { DiskUsage } from '../../shared/protocol/disk-usage.ts'
import { formatAge, formatBytes } from '../../shared/units.ts'
import { call } from '../client/client.ts'
import { command as declare } from '../command.ts'
import { renderJson, renderListing, type Row } from '../format/render.ts'
import { flag, text } from '../options/spec.ts'
import { escapeLine } from '../terminal/escape.ts'
import { print } from '../terminal/output.ts'

export const command = declare({
  usage: '[OPTIONS]',
  words: { min: 0, max: 0 },
  options: {
    format: text('FORMAT', "'table', 'table TEMPLATE', 'json', or a template: '{{.Type}} {{.Size}}'"),
    json: flag('Print everything as JSON, in bytes'),
    verbose: flag('Show each image, container and volume', { short: 'v' }),
  },
  async run({ client, options: { format, json, verbose } }) {
    const usage = await call(client, 'system.disk-usage', { query: { verbose } })
    if (json) await print(renderJson(usage))
    else if (verbose && format === undefined) await print(describeAll(usage))
    else await print(renderListing({ titles, usual, rows: rowsOf(usage) }, format))
    return undefined
  },
})

const usual = 'table {{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}'
const titles = {
  Type: 'TYPE',
  TotalCount: 'TOTAL',
  Active: 'ACTIVE',
  Size: 'SIZE',
  Reclaimable: 'RECLAIMABLE',
}

function rowsOf({ images, containers, volumes, logs }: DiskUsage): Row[] {
  const row = (name: string, total: DiskUsage['images'], isEstimate = false) => {
    const { count, active, sizeBytes, reclaimableBytes } = total
    const percent = sizeBytes === 0 ? 0 : Math.floor((100 * reclaimableBytes) / sizeBytes)
    return {
      Type: name,
      TotalCount: String(count),
      Active: String(active),
      Size: sizeOf(sizeBytes, isEstimate),
      Reclaimable: `${formatBytes(reclaimableBytes)}${sizeBytes === 0 ? '' : ` (${percent}%)`}`,
    }
  }
  return [
    row('Images', images),
    row('Containers', containers, containers.isEstimate),
    row('Volumes', volumes, volumes.isEstimate),
    row('Logs', logs),
  ]
}

/** What could not be measured in time has a wave before it. */
function sizeOf(bytes: number, isEstimate: boolean): string {
  return `${isEstimate ? '~' : ''}${formatBytes(bytes)}`
}

function describeAll({ imageList = [], containerList = [], volumeList = [] }: DiskUsage): string {
  const now = Date.now()
  const age = (moment: string | null) =>
    moment === null ? 'N/A' : `${formatAge(now - Date.parse(moment))} ago`
  const images = renderListing({
    titles: {
      Name: 'NAME',
      ID: 'IMAGE ID',
      Created: 'CREATED',
      Size: 'SIZE',
      Shared: 'SHARED SIZE',
      Unique: 'UNIQUE SIZE',
      Containers: 'CONTAINERS',
    },
    usual: 'table {{.Name}}\t{{.ID}}\t{{.Created}}\t{{.Size}}\t{{.Shared}}\t{{.Unique}}\t{{.Containers}}',
    rows: imageList.map((image) => ({
      Name: escapeLine(image.names[0] ?? ''),
      ID: shortId(image.id),
      Created: age(image.createdAt),
      Size: formatBytes(image.sizeBytes),
      Shared: formatBytes(image.sharedBytes),
      Unique: formatBytes(image.uniqueBytes),
      Containers: String(image.containers),
    })),
  })
  const containers = renderListing({
    titles: {
      ID: 'CONTAINER ID',
      Image: 'IMAGE',
      Size: 'SIZE',
      Log: 'LOG',
      Created: 'CREATED',
      State: 'STATE',
      Name: 'NAMES',
    },
    usual: 'table {{.ID}}\t{{.Image}}\t{{.Size}}\t{{.Log}}\t{{.Created}}\t{{.State}}\t{{.Name}}',
    rows: containerList.map((container) => ({
      ID: shortId(container.id),
      Image: escapeLine(container.image),
      Size: sizeOf(container.writableBytes, container.isEstimate),
      Log: formatBytes(container.logBytes),
      Created: age(container.createdAt),
      State: container.state,
      Name: escapeLine(container.name),
    })),
  })
  const volumes = renderListing({
    titles: { Name: 'VOLUME NAME', Size: 'SIZE', Containers: 'CONTAINERS' },
    usual: 'table {{.Name}}\t{{.Size}}\t{{.Containers}}',
    rows: volumeList.map((volume) => ({
      Name: escapeLine(volume.name),
      Size: sizeOf(volume.sizeBytes, volume.isEstimate),
      Containers: String(volume.containers),
    })),
  })
  return `Images:\n\n${images}\nContainers:\n\n${containers}\nVolumes:\n\n${volumes}`
}
