/** Tells the service manager that the daemon is ready, if one has started it: systemd's sd_notify(3). */
import { runQuickTool } from './exec.ts'

/**
 * Does nothing unless the environment names the socket to say it to. The words go by way of systemd's own program:
 * Node has no datagram sockets but those of the network.
 */
export async function notifyReady(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<void> {
  const socket = environment['NOTIFY_SOCKET']
  if (socket === undefined || socket === '') return
  await runQuickTool('systemd-notify', ['--ready'], { env: { NOTIFY_SOCKET: socket } })
}
