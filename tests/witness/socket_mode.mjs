// Slack's Socket Mode client for Node.js alone, without a framework: it connects, acks, and comes back.
import { setTimeout } from 'node:timers/promises'
import socketMode from '@slack/socket-mode'

const { LogLevel, SocketModeClient } = socketMode

export default async ({ slack_api, app_token, ping_ms }) => {
  const heard = []
  const client = new SocketModeClient({
    appToken: app_token,
    // Also the pause before it connects again.
    clientPingTimeout: ping_ms,
    clientOptions: { slackApiUrl: slack_api, retryConfig: { retries: 50, minTimeout: 50, factor: 1 } },
    logLevel: LogLevel.ERROR,
  })
  for (const state of ['connecting', 'connected', 'reconnecting', 'disconnecting', 'disconnected']) {
    client.on(state, () => heard.push({ kind: 'state', state }))
  }
  client.on('error', () => heard.push({ kind: 'error' }))
  client.on('slash_commands', async ({ ack, body, accepts_response_payload: takes }) => {
    heard.push({ kind: 'command', text: body.text, takes })
    await ack({ text: `got ${body.text}` })
  })
  client.on('app_mention', async ({ ack, event, retry_num: attempt }) => {
    heard.push({ kind: 'mention', text: event.text, attempt })
    // The first delivery is left without an answer, so that there is a second.
    if (attempt > 0) await ack()
  })
  await client.start()
  return {
    heard: () => heard,
    disconnect: () => client.disconnect(),
    // Long enough for several pings each way.
    async stay({ ms }) {
      await setTimeout(ms)
      return client.websocket.isActive()
    },
  }
}
