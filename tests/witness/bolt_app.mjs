// An app made with Bolt for JavaScript, in the ways its guide shows: a command, a button, a modal, selects, events, a home.
import bolt from '@slack/bolt'

const { App, LogLevel } = bolt

const plain = text => ({ type: 'plain_text', text })
const card = (text, elements) => [
  { type: 'section', text: { type: 'mrkdwn', text } },
  { type: 'actions', block_id: 'choice', elements },
]
const goButton = { type: 'button', action_id: 'go', value: 'vm-7', text: plain('Go') }
const hostSelect = {
  type: 'external_select',
  action_id: 'host',
  placeholder: plain('Host'),
  min_query_length: 0,
}
const form = {
  type: 'modal',
  callback_id: 'form',
  notify_on_close: true,
  private_metadata: 'from the command',
  title: plain('Move'),
  submit: plain('Next'),
  close: plain('Never mind'),
  blocks: [
    {
      type: 'input',
      block_id: 'why',
      label: plain('Why'),
      element: { type: 'plain_text_input', action_id: 'text' },
    },
  ],
}
const done = { ...form, callback_id: 'done', submit: undefined, notify_on_close: false, blocks: card('Noted', [goButton]) }

export default async ({ slack_api, bot_token, app_token, signing_secret, port }) => {
  const heard = []
  const app = new App({
    token: bot_token,
    clientOptions: { slackApiUrl: slack_api },
    logLevel: LogLevel.ERROR,
    ...(port === undefined ? { socketMode: true, appToken: app_token } : { signingSecret: signing_secret }),
  })
  app.error(async error => {
    heard.push({ kind: 'error', code: error.code, message: error.message })
  })

  app.command('/xen', async ({ command, ack, respond, say, client }) => {
    const [word, ...rest] = command.text.split(' ')
    heard.push({ kind: 'command', text: command.text, user: command.user_id, channel: command.channel_id })
    switch (word) {
      case 'ack':
        return ack({ response_type: 'ephemeral', text: rest.join(' ') })
      case 'respond':
        await ack()
        return respond({ response_type: 'in_channel', text: rest.join(' ') })
      case 'button':
        await ack()
        return say({ text: 'Press', blocks: card('Press', [goButton, hostSelect]) })
      case 'modal':
        await ack()
        return client.views.open({ trigger_id: command.trigger_id, view: form })
      case 'throw':
        await ack()
        throw new Error('handler failed')
      default: // no ack: the person sees that nobody answered
    }
  })

  app.action('go', async ({ action, body, ack, respond }) => {
    heard.push({ kind: 'action', value: action.value, block: action.block_id, user: body.user.id })
    await ack()
    if (body.message) {
      await respond({ replace_original: true, text: `<@${body.user.id}> went` })
    }
  })
  app.options('host', async ({ options, ack }) => {
    const hosts = ['xenserver1', 'xenserver3'].filter(name => name.includes(options.value ?? ''))
    await ack({ options: hosts.map(name => ({ text: plain(name), value: name })) })
  })
  app.action({ action_id: 'host', block_id: 'choice' }, async ({ action, ack, client, body }) => {
    await ack()
    const blocks = card(`Chosen: ${action.selected_option.value}`, [goButton])
    await client.chat.update({ channel: body.channel.id, ts: body.message.ts, text: 'Chosen', blocks })
  })
  app.view('form', async ({ ack, view, body, client }) => {
    const why = view.state.values.why.text.value
    heard.push({ kind: 'submission', why, metadata: view.private_metadata })
    if (why.length < 4) {
      return ack({ response_action: 'errors', errors: { why: 'Say more.' } })
    }
    await ack({ response_action: 'update', view: done })
    const opened = await client.conversations.open({ users: body.user.id })
    await client.chat.postMessage({ channel: opened.channel.id, text: `Noted: ${why}` })
  })
  app.view({ type: 'view_closed', callback_id: 'form' }, async ({ ack, view }) => {
    heard.push({ kind: 'closed', metadata: view.private_metadata })
    await ack()
  })

  app.shortcut('find', async ({ shortcut, ack, client }) => {
    await ack()
    await client.views.open({ trigger_id: shortcut.trigger_id, view: form })
  })
  app.shortcut({ callback_id: 'link', type: 'message_action' }, async ({ shortcut, ack, respond }) => {
    await ack()
    await respond(`About: ${shortcut.message.text}`)
  })

  app.event('app_home_opened', ({ event, client }) =>
    client.views.publish({
      user_id: event.user,
      view: { type: 'home', blocks: card('At home', [goButton]) },
    })
  )
  app.event('app_mention', ({ event, say }) => say({ text: `You said ${event.text}`, thread_ts: event.ts }))
  app.message(/^hello/, ({ message, say }) => say(`Hello, <@${message.user}>`))

  await app.start(port)

  return {
    heard: () => heard,
    stop: () => app.stop(),
    call: ({ method, arguments: given }) => app.client.apiCall(method, given),
    async upload({ channel, filename, content }) {
      const uploaded = await app.client.filesUploadV2({ channel_id: channel, filename, content })
      return uploaded.files.flatMap(({ files }) => files.map(({ id, name, size }) => ({ id, name, size })))
    },
    async every_channel() {
      const names = []
      for await (const page of app.client.paginate('conversations.list', { limit: 1 })) {
        names.push(...page.channels.map(channel => channel.name))
      }
      return names
    },
  }
}
