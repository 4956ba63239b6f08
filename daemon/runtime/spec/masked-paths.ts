/** Which parts of /proc and /sys are hidden from the container, and which it may only read. */
import type { SpecInput } from './input.ts'

/**
 * Docker's list. /proc/interrupts and thermal_throttle tell what others on the machine do (moby GHSA-6fw5-f8r9-fgfm),
 * powercap measures energy finely enough to read keys (GHSA-jq35-85cj-fj4p), kcore and firmware are the machine's
 * memory, keys are not namespaced.
 */
export const defaultMaskedPaths: readonly string[] = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
]

/** They change the whole machine: buses, interrupt routing, kernel settings, the magic key. */
export const defaultReadonlyPaths: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
]

export function maskedPaths(input: SpecInput): string[] {
  return input.options.privileged ? [] : [...defaultMaskedPaths, ...input.host.thermalThrottlePaths]
}

export function readonlyPaths(input: SpecInput): string[] {
  return input.options.privileged ? [] : [...defaultReadonlyPaths]
}
